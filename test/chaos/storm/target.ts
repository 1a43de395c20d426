import { type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Entity } from 'opencti-stream-connector'
import { JsonServer } from '../../integration/json-server.ts'

/** What a hook of the child asks for. */
export interface StormOperation {
  readonly key: string
  readonly position: string
  readonly hook: 'create' | 'update' | 'delete'
  readonly externalId: string | undefined
  readonly isDependency: boolean
  readonly document: Entity | undefined
}

/** What the child is told of one operation. */
export type StormAnswer = { readonly externalId: string } | 'again'

/** One effect at the target. */
export interface Effect extends Omit<StormOperation, 'document'> {
  /** Which child it was, from 0. */
  readonly life: number
  /** When its answer had been handed to the network, by `performance.now()`; undefined: never, or not yet. */
  answeredAtMs: number | undefined
  /** The answer was thrown away on purpose. */
  isLost: boolean
}

/** What goes wrong with a call. */
type Mishap = 'refuse' | 'lose' | 'partly' | undefined

/** An event is refused, or its answer lost, so often at most: fewer times than a connector tries. */
const maxMishaps = 2

/**
 * The target of a connector in another process: an append-only journal of effects, and what stands at the target after
 * them. It refuses some calls with 500, 503 and 429, answers others slowly, and of some it loses the answer after it
 * has done what it was asked.
 */
export class StormTarget {
  readonly journal: Effect[] = []
  readonly documents = new Map<string, Entity>()
  /** Ids that the target gave. */
  readonly externalIds = new Map<string, string>()
  /** Calls that named another id than the target's. */
  readonly wrongIds: string[] = []
  readonly counts = { refused: 0, lost: 0, partly: 0 }
  /** Calls whose answer has not been sent, and the most that there were. */
  inFlight = 0
  maxInFlight = 0
  maxItems = 0
  /** Counts the children. */
  life = 0
  /** Whether calls go wrong at all. */
  isStormy = true
  readonly #random: () => number
  readonly #server = new JsonServer((body, response, request) => {
    void this.#take(Number(request.headers['x-life']), body as StormOperation[], response)
  })
  readonly #mishaps = new Map<string, number>()

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
    if (mishap === 'refuse') {
      this.counts.refused++
      const status = [500, 503, 429][Math.floor(this.#random() * 3)]!
      this.inFlight--
      response.writeHead(status, status === 429 ? { 'retry-after': '0' } : {}).end()
      return
    }
    const effects: Effect[] = []
    const answers = operations.map((operation): StormAnswer => {
      if (mishap === 'partly' && this.#random() < 0.3 && this.#mayGoWrong(operation)) {
        this.counts.partly++
        return 'again'
      }
      effects.push(this.#do(operation))
      return { externalId: this.externalIds.get(operation.key) ?? '' }
    })
    // Between the effect and the answer, where a kill hurts most.
    if (this.#random() < 0.3) await sleep(this.#random() * 30)
    if (mishap === 'lose') {
      this.counts.lost++
      for (const effect of effects) effect.isLost = true
      this.#drop(response)
      return
    }
    this.inFlight--
    response.end(JSON.stringify(answers), () => {
      for (const effect of effects) effect.answeredAtMs = performance.now()
    })
  }

  #drop(response: ServerResponse): void {
    this.inFlight--
    response.destroy()
  }

  #do({ document, ...operation }: StormOperation): Effect {
    const { key, externalId } = operation
    const effect: Effect = { ...operation, life: this.life, answeredAtMs: undefined, isLost: false }
    this.journal.push(effect)
    if (externalId !== undefined && externalId !== (this.externalIds.get(key) ?? externalId)) {
      this.wrongIds.push(`${operation.hook} of ${key} at ${operation.position} names ${externalId}`)
    }
    if (document === undefined) this.documents.delete(key)
    else {
      if (!this.externalIds.has(key)) this.externalIds.set(key, `target-${this.externalIds.size}`)
      this.documents.set(key, document)
    }
    return effect
  }

  #mishap(operations: readonly StormOperation[]): Mishap {
    const chance = this.#random()
    if (!this.isStormy || chance >= 0.12) return undefined
    if (chance < 0.04 && operations.length > 1) return 'partly'
    if (!operations.every((operation) => this.#mayGoWrong(operation))) return undefined
    return chance < 0.08 ? 'refuse' : 'lose'
  }

  /** Counts one more mishap of an event, unless it has had its share in this life. */
  #mayGoWrong({ key, position }: StormOperation): boolean {
    const event = `${this.life} ${key}@${position}`
    const count = this.#mishaps.get(event) ?? 0
    if (count >= maxMishaps) return false
    this.#mishaps.set(event, count + 1)
    return true
  }
}
