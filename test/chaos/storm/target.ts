import { createHash } from 'node:crypto'
import { type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { JsonServer } from '../../fixtures/json-server.ts'

/** A hook call of the child. */
export interface StormOperation {
  readonly entity: string
  /** The record at the target: the entity as a whole, or a value. */
  readonly record: string
  readonly position: string
  readonly hook: 'create' | 'update' | 'delete'
  readonly externalId: string | undefined
  /** It came as what exists, in a catch-up or before what refers to it, not as what happened. */
  readonly isTold: boolean
  readonly document: object | undefined
}

/** The target's record of a value. */
export interface ClaimedValue {
  readonly key: string
  /** Who claims it: an entity, and a fingerprint of its state. */
  readonly claims: readonly string[]
}

/** The child asks for an entity's id at the target. */
export type StormQuestion = { readonly externalIdOf: string }

/** The answer to one operation. */
export type StormAnswer = { readonly externalId: string } | 'again'

/** One effect at the target. */
export interface Effect extends Omit<StormOperation, 'document'> {
  /** Fingerprint of the record's source state; undefined if the record is gone. */
  readonly print: string | undefined
  /** Number of the child, from 0. */
  readonly life: number
  /** When its answer had been handed to the network, by `performance.now()`; undefined: never, or not yet. */
  answeredAtMs: number | undefined
  /** Its answer, or that to another record of its event, was an error or never came: it is tried again. */
  isInDoubt: boolean
}

/** Faults of a call. */
type Mishap = 'refuse' | 'lose' | 'partly' | undefined

/** An event is refused, or its answer lost, so often at most: fewer times than a connector tries. */
const maxMishaps = 2

/** Of objects that never change, as those of the simulator and of a request. */
const prints = new WeakMap<object, string>()

/** Fingerprint of an entity's state. */
export function printOf(document: object): string {
  let print = prints.get(document)
  if (print === undefined) {
    print = createHash('sha1').update(JSON.stringify(document)).digest('base64')
    prints.set(document, print)
  }
  return print
}

/**
 * The target of a connector in another process: an append-only journal of effects, and what stands at the target after
 * them. It refuses some calls with 500, 503 and 429, answers others slowly, and of some it loses the answer after it
 * has done what it was asked.
 */
export class StormTarget {
  readonly journal: Effect[] = []
  /** By record. */
  readonly documents = new Map<string, object>()
  /** Ids that the target assigned, by record. */
  readonly externalIds = new Map<string, string>()
  /** Calls with a wrong id. */
  readonly wrongIds: string[] = []
  readonly counts = { status500: 0, status503: 0, status429: 0, lostAnswers: 0, partly: 0 }
  /** Number of unanswered calls, and its maximum. */
  inFlight = 0
  maxInFlight = 0
  maxItems = 0
  /** Counts the children. */
  life = 0
  readonly #random: () => number
  readonly #server = new JsonServer((body, response, request) => {
    if (Array.isArray(body))
      void this.#take(Number(request.headers['x-life']), body as StormOperation[], response)
    else response.end(JSON.stringify(this.#answer(body as StormQuestion)))
  })
  /** What became of each event in a life: how often it went wrong, and its effects. */
  readonly #events = new Map<string, { mishaps: number; effects: Effect[] }>()

  private constructor(random: () => number) {
    this.#random = random
  }

  static async start(random: () => number): Promise<StormTarget> {
    const target = new StormTarget(random)
    await target.#server.open()
    return target
  }

  get url(): string {
    return this.#server.url
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  /** A call is under way from here until just before it is answered. */
  async #take(life: number, operations: readonly StormOperation[], response: ServerResponse): Promise<void> {
    this.inFlight++
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight)
    this.maxItems = Math.max(this.maxItems, operations.length)
    if (this.#random() < 0.3) await sleep(this.#random() * 30)
    // Its child is dead: the request never came here, so that each life's effects stand together in the journal.
    if (life !== this.life) return this.#drop(response)
    const mishap = this.#mishap(operations)
    if (mishap === 'refuse') return this.#refuse(response)
    const effects: Effect[] = []
    const answers = operations.map((operation): StormAnswer => {
      if (mishap === 'partly' && this.#random() < 0.3 && this.#mayGoWrong(operation)) {
        this.counts.partly++
        return 'again'
      }
      effects.push(this.#do(operation))
      return { externalId: this.externalIds.get(operation.record) ?? '' }
    })
    // Between the effect and the answer, the worst moment for a kill.
    if (this.#random() < 0.3) await sleep(this.#random() * 30)
    if (mishap === 'lose') {
      this.counts.lostAnswers++
      for (const effect of effects) effect.isInDoubt = true
      this.#drop(response)
      return
    }
    this.inFlight--
    response.end(JSON.stringify(answers), () => {
      for (const effect of effects) effect.answeredAtMs = performance.now()
    })
  }

  #refuse(response: ServerResponse): void {
    const status = ([500, 503, 429] as const)[Math.floor(this.#random() * 3)]!
    this.counts[`status${status}`]++
    this.inFlight--
    const retryAfter = this.#random() < 0.02 ? '1' : '0'
    response.writeHead(status, status === 429 ? { 'retry-after': retryAfter } : {}).end()
  }

  #drop(response: ServerResponse): void {
    this.inFlight--
    response.destroy()
  }

  #do({ document, ...operation }: StormOperation): Effect {
    const { record, externalId } = operation
    const print = document && printOf(document)
    const effect = { ...operation, print, life: this.life, answeredAtMs: undefined, isInDoubt: false }
    this.journal.push(effect)
    this.#eventOf(operation).effects.push(effect)
    if (externalId !== undefined && externalId !== (this.externalIds.get(record) ?? externalId))
      this.wrongIds.push(`${operation.hook} of ${record} at ${operation.position} names ${externalId}`)
    if (document === undefined) {
      this.documents.delete(record)
    } else {
      if (!this.externalIds.has(record)) this.externalIds.set(record, `target-${this.externalIds.size}`)
      this.documents.set(record, document)
    }
    return effect
  }

  #answer(question: StormQuestion): (string | undefined)[] {
    const record = question.externalIdOf
    return this.documents.has(record) ? [this.externalIds.get(record)] : []
  }

  #mishap(operations: readonly StormOperation[]): Mishap {
    const chance = this.#random()
    if (chance >= 0.12) return undefined
    if (chance < 0.04 && operations.length > 1) return 'partly'
    if (!operations.every((operation) => this.#mayGoWrong(operation))) return undefined
    return chance < 0.08 ? 'refuse' : 'lose'
  }

  /** Counts one more mishap of an event, unless it has had its share in this life. */
  #mayGoWrong(operation: StormOperation): boolean {
    const event = this.#eventOf(operation)
    if (event.mishaps >= maxMishaps) return false
    event.mishaps++
    for (const effect of event.effects) effect.isInDoubt = true
    return true
  }

  #eventOf({ entity, position }: Pick<StormOperation, 'entity' | 'position'>): {
    mishaps: number
    effects: Effect[]
  } {
    const name = `${this.life} ${entity}@${position}`
    const event = this.#events.get(name) ?? { mishaps: 0, effects: [] }
    this.#events.set(name, event)
    return event
  }
}
