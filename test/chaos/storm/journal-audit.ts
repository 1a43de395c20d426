import { comparePositions, parsePosition } from 'opencti-stream-connector'
import { type StormState } from './storm-state.ts'
import { type Effect, type StormTarget } from './target.ts'

/** Why an effect may be repeated after a kill. */
type Excuse =
  /** Its answer did not reach the connector. */
  | 'in-flight'
  /** It was answered, but not committed yet. */
  | 'not-written'

/** Number of repeated effects, by reason. */
export type Repeats = Record<Excuse | 'inDoubt' | 'begunAnew' | 'told', number>

/**
 * Looks at the journal of a target after each kill: an effect that was done before needs an excuse, which is the state
 * that the kill has left, an answer that never came, or a beginning from nothing.
 */
export class JournalAudit {
  readonly again: Repeats = { 'in-flight': 0, 'not-written': 0, inDoubt: 0, begunAnew: 0, told: 0 }
  readonly unexplained: string[] = []
  /** How long before a kill the oldest effect was answered that was not written then, in milliseconds. */
  oldestUnwrittenMs = 0
  readonly #target: StormTarget
  readonly #state: StormState
  /** Effects that may be repeated after the last kill. */
  #excuses: ReadonlyMap<string, Excuse> = new Map()
  /** What was done since the connector last began from nothing, and what was done at all. */
  #done = new Set<string>()
  readonly #everDone = new Set<string>()
  #audited = 0
  /** Where in the journal it started over. */
  #anewFrom = 0

  constructor(target: StormTarget, state: StormState) {
    this.#target = target
    this.#state = state
  }

  /** How many different events have come to the target since the connector last began from nothing, by the last look. */
  get doneCount(): number {
    return this.#done.size
  }

  /** The life before the target's present one was killed, at this time by `performance.now()`; that one has not begun. */
  async closeLife(killedAtMs: number): Promise<void> {
    this.check()
    this.#excuses = await this.#readExcuses(killedAtMs)
  }

  /** The next life starts over, so everything may be repeated. */
  beginAnew(): void {
    this.#anewFrom = this.#target.journal.length
    this.#done = new Set()
    this.#excuses = new Map()
  }

  /** Checks the effects since the last check. Call it after a life has ended. */
  check(): void {
    const { journal } = this.#target
    const doneNow = new Map<string, Effect>()
    for (; this.#audited < journal.length; this.#audited++) {
      const effect = journal[this.#audited]!
      const name = nameOf(effect)
      const before = doneNow.get(name)
      if (before !== undefined) {
        if (before.isInDoubt) this.again.inDoubt++
        // Its frame carries the entity as it is when it is sent, so that it can be another state.
        else if (effect.isTold) this.again.told++
        else this.unexplained.push(`life ${effect.life}: ${effect.hook} ${name} twice in one life`)
      } else if (this.#done.has(name)) this.#excuse(effect, name)
      else if (this.#everDone.has(name)) this.again.begunAnew++
      doneNow.set(name, effect)
    }
    for (const name of doneNow.keys()) {
      this.#done.add(name)
      this.#everDone.add(name)
    }
  }

  #excuse(effect: Effect, name: string): void {
    const excuse = this.#excuses.get(name)
    if (effect.isTold) this.again.told++
    else if (excuse !== undefined) this.again[excuse]++
    else this.unexplained.push(`life ${effect.life}: ${effect.hook} ${name} was saved`)
  }

  /** Effects at the target that the saved state does not include. */
  async #readExcuses(killedAtMs: number): Promise<ReadonlyMap<string, Excuse>> {
    const { journal, life } = this.#target
    const excuses = new Map<string, Excuse>()
    const store = await this.#state.read()
    const state = store === undefined ? undefined : await store.value('state')
    const saved = parsePosition(
      state === undefined ? '' : (JSON.parse(state) as { start_from: string }).start_from,
    )
    const departures = await store?.departures()
    for (let index = this.#anewFrom; index < journal.length; index++) {
      const effect = journal[index]!
      const position = parsePosition(effect.position)!
      if (saved !== undefined && comparePositions(position, saved) <= 0) continue
      const record = await store?.entity(effect.entity)
      const known = parsePosition(record?.position ?? departures?.get(effect.entity) ?? '')
      if (known !== undefined && comparePositions(position, known) <= 0) continue
      const excuse = effect.answeredAtMs === undefined ? 'in-flight' : 'not-written'
      excuses.set(nameOf(effect), excuse)
      if (excuse === 'not-written' && effect.life === life - 1)
        this.oldestUnwrittenMs = Math.max(this.oldestUnwrittenMs, killedAtMs - effect.answeredAtMs!)
    }
    await store?.close()
    return excuses
  }
}

/** A merge changes a value for several entities. */
function nameOf({ record, entity, position }: Effect): string {
  return `${record} of ${entity}@${position}`
}
