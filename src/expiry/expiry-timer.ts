import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { describeError } from '../errors/verdict.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { type Outcome, droppedByReset, overtakenOutcome } from '../events/event-counters.ts'
import { type Operation, type Origin } from '../events/operation.ts'
import { entityKeyOfLane } from '../events/routes.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { type EntityRecord } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { maxClaimedRows, ClaimedRows } from '../checkpoint/claimed-rows.ts'

/** Longest sleep, in milliseconds: the wall clock may jump, and newly pushed entities may expire sooner. */
const maxSleepMs = 1000

/**
 * Withdraws entities when their `valid_until` passes. The id map stores that time, so it survives a stop or
 * crash; whatever expires in the meantime is withdrawn at the next start.
 *
 * An entity stays due until the outcome of its withdrawal is saved, in the same commit that removes it from
 * the id map.
 */
export class ExpiryTimer implements DeliveryFeature {
  readonly origin = 'expiry'
  readonly #options: ExpiryTimerOptions
  /** By entity key. */
  readonly #underWay: ClaimedRows<string>
  #problem: string | undefined

  constructor(options: ExpiryTimerOptions) {
    this.#options = options
    this.#underWay = new ClaimedRows(options)
  }

  /**
   * Whether the entity still expires at that time: it may be gone, valid for longer, or the clock was set
   * back.
   */
  before({ origin }: Operation, record: EntityRecord | undefined): EntityRecord | Outcome | undefined {
    const { dueAtMs } = origin as Extract<Origin, { kind: 'expiry' }>
    const isDue = record?.expiresAtMs === dueAtMs && this.#options.clock.now() >= dueAtMs
    return isDue ? record : overtakenOutcome
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { isOn, clock } = this.#options
    if (!isOn) return
    await repeatUntilAborted(() => this.#look(signal), { clock, everyMs: maxSleepMs, signal, isAtOnce: true })
  }

  /** @returns milliseconds until the next look is worthwhile. */
  async #look(signal: AbortSignal): Promise<number> {
    try {
      await this.#withdrawDue(signal)
      const sleepMs = await this.#untilNext()
      this.#problem = undefined
      return sleepMs
    } catch (error) {
      if (!signal.aborted) this.#failed(describeError(error))
      return maxSleepMs
    }
  }

  async #withdrawDue(signal: AbortSignal): Promise<void> {
    const { checkpointer, clock, engine } = this.#options
    // Entities of other copies are among the due ones, too.
    for (let others = 0; ;) {
      await this.#underWay.write()
      // Entities being withdrawn are still among the due ones, ahead of the others.
      const limit = this.#underWay.size + maxClaimedRows + others
      const due = await checkpointer.state.expiring({ atMs: clock.now(), limit })
      const own = due.filter((record) => this.#owns(record))
      others = due.length - own.length
      const fresh = own.filter(({ key }) => !this.#underWay.has(key))
      for (const record of fresh) {
        await this.#underWay.untilFree(signal)
        if (this.#owns(record)) this.#withdraw(record)
      }
      if (fresh.length > 0) engine.hurry()
      if (due.length < limit) return
    }
  }

  #owns({ key, route }: EntityRecord): boolean {
    return this.#options.owns?.(entityKeyOfLane(key, route)) !== false
  }

  #withdraw(record: EntityRecord): void {
    const { key } = record
    this.#underWay.begin(key, undefined)
    this.#options.events.expire(record, (outcome) => {
      if (this.#comesDueAgain(record, outcome)) void this.#letBe(record).then(() => this.#underWay.end(key))
      else this.#underWay.end(key)
    })
  }

  /** Whether it would come due again immediately, although it has ended. */
  #comesDueAgain({ expiresAtMs }: EntityRecord, outcome: Outcome): boolean {
    if (outcome.kind === 'delivered' || outcome === droppedByReset) return false
    // Overtaken by a newer state, which has its own expiry, or by a clock set back; or by an entry under
    // another route name, which does not.
    return outcome !== overtakenOutcome || this.#options.clock.now() >= expiresAtMs!
  }

  /** It became a dead letter or was skipped by the author: do not let it come due over and over. */
  async #letBe({ key, expiresAtMs }: EntityRecord): Promise<void> {
    const { checkpointer } = this.#options
    try {
      const known = checkpointer.state.entity(key)
      const now = known instanceof Promise ? await known : known
      if (now === undefined || now.expiresAtMs !== expiresAtMs) return
      const { expiresAtMs: _, ...rest } = now
      checkpointer.putEntity(rest)
    } catch {
      // It comes due again once the state is readable, at the latest in the next process.
    }
  }

  /** Milliseconds until the next look is worthwhile. */
  async #untilNext(): Promise<number> {
    const { checkpointer, clock } = this.#options
    if (this.#underWay.size > 0) return maxSleepMs
    const [soonest] = await checkpointer.state.expiring({ atMs: Number.MAX_SAFE_INTEGER, limit: 1 })
    if (soonest === undefined || !this.#owns(soonest)) return maxSleepMs
    return Math.min(Math.max(soonest.expiresAtMs! - clock.now(), 1), maxSleepMs)
  }

  /** The state could not be read or written. Report it once, and check again later. */
  #failed(problem: string): void {
    if (this.#problem !== problem) {
      this.#options.logger.warn('Expired entities cannot be withdrawn now', { error: problem })
    }
    this.#problem = problem
  }
}

export interface ExpiryTimerOptions {
  /** Whether the timer is enabled: `on.expiryTimer`. */
  readonly isOn: boolean
  /** Whether this copy withdraws an entity, by key without route. @default all */
  readonly owns?: ((entityKey: string) => boolean) | undefined
  readonly checkpointer: Checkpointer
  readonly clock: Clock
  readonly logger: Logger
  /** Waits for room for one more event. */
  readonly room: Bound
  /** Takes the withdrawal of an entity through the lanes. */
  readonly events: { expire(record: EntityRecord, onEnded: (outcome: Outcome) => void): void }
  readonly engine: { hurry(): void }
}
