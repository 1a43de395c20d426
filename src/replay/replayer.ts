import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { describeError } from '../errors/verdict.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { type Outcome, droppedByReset, staleOutcome } from '../events/event-counters.ts'
import { type Operation, type Origin } from '../events/operation.ts'
import { entityKeyOfLane } from '../events/routes.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { isEarlierPosition } from '../store/earlier-position.ts'
import { type DeadLetter, type EntityRecord, type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { ClaimedRows } from '../checkpoint/claimed-rows.ts'

/** Interval for checking for requests, in milliseconds. Without any, a check takes microseconds. */
const lookEveryMs = 1000

/** Letters to read at a time, without messages, which can be megabytes and are read on start. */
const pageSize = 100

/** Save outcomes after this many before continuing. */
const maxEnded = 1000

/** Prefix of a letter's error if it was not retried because it is stale. */
const stalePrefix = 'Stale: '

/** Called when a redelivered letter has ended, with whether it is still a dead letter. */
export type OnTakenBack = (id: number, isStillThere: boolean) => void

/** Without the content, which travels with the event. */
type Letter = Omit<DeadLetter, 'data'>

/**
 * Retries requested dead letters in the running connector, through its lanes, to preserve the order per
 * entity.
 *
 * A request stays in the store until the letter's outcome is saved, in the same commit as its effect on the
 * state. After a stop or crash in between, it simply runs again.
 */
export class Replayer implements DeliveryFeature {
  readonly origin = 'replay'
  readonly #options: ReplayerOptions
  readonly #underWay: ClaimedRows<number, Letter>
  #problem: string | undefined

  constructor(options: ReplayerOptions) {
    this.#options = options
    this.#underWay = new ClaimedRows(options)
  }

  /** Checks for requests immediately and periodically, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const look = async () => {
      try {
        await this.#look(signal)
        this.#problem = undefined
      } catch (error) {
        if (!signal.aborted) this.#failed(describeError(error))
      }
    }
    return repeatUntilAborted(look, { clock, everyMs: lookEveryMs, signal, isAtOnce: true })
  }

  /** Does not deliver a letter over newer state, unless forced. */
  async before(
    operation: Operation,
    record: EntityRecord | undefined,
  ): Promise<EntityRecord | Outcome | undefined> {
    const { letterId, isForced } = operation.origin as Extract<Origin, { kind: 'replay' }>
    if (await this.#isStale(letterId, operation, record)) {
      if (!isForced) return staleOutcome
      operation.newerPosition = record?.position
    }
    return record
  }

  /**
   * Whether the target has newer state than the letter, at the letter's turn. If the id map does not know
   * (the entity was deleted or withdrawn, or there is no id map), the letter's own mark does.
   */
  async #isStale(letterId: number, { key }: Operation, record: EntityRecord | undefined): Promise<boolean> {
    const letter = this.#underWay.get(letterId)
    if (letter?.position === undefined) return false
    const { store, checkpointer } = this.#options
    const newer = [record?.position, checkpointer.outdatedAt(key)]
    newer.push((await store.deadLetter(letter.id))?.outdatedBy)
    for (const position of newer) {
      if (position !== undefined && isEarlierPosition(letter.position, position)) return true
    }
    return false
  }

  /**
   * Retries letters without a request, before queued events of their entities. Stale ones are removed: the
   * target has something newer.
   *
   * @param onEnded called for each finished letter, with whether it is still a dead letter.
   */
  async takeBack(ids: readonly number[], onEnded: OnTakenBack): Promise<void> {
    await this.#underWay.write()
    const letters = await Promise.all(ids.map((id) => this.#options.store.deadLetter(id)))
    // In reverse, because each goes before those already there.
    for (const letter of letters.toReversed()) {
      if (letter !== undefined && !this.#underWay.has(letter.id) && this.#owns(letter))
        this.#start(letter, onEnded)
    }
    this.#options.engine.hurry()
  }

  /** A letter failed again. It stays with its new error, and a retry needs another request. */
  failedAgain(letterId: number, { attempts }: Operation, error: string): void {
    const letter = this.#underWay.get(letterId)!
    this.#options.checkpointer.updateDeadLetter({
      id: letter.id,
      attempts: letter.attempts + Math.max(1, attempts.count),
      lastAtMs: attempts.lastFailedAtMs || this.#options.clock.now(),
      error,
      answered: letter.replay,
    })
    this.#options.logger.warn('Dead letter failed again', {
      dead_letter: letter.id,
      entity_id: letter.entityId,
      error,
    })
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { store, engine } = this.#options
    let afterId = 0
    await this.#underWay.write()
    for (;;) {
      const letters = await store.deadLetters({
        afterId,
        limit: pageSize,
        onlyReplay: true,
        withoutData: true,
      })
      for (const each of letters) {
        const { id } = each
        afterId = id
        if (this.#underWay.has(id) || !this.#owns(each)) continue
        await this.#underWay.untilFree(signal)
        if (this.#underWay.endedCount >= maxEnded) await this.#underWay.write()
        // It may have ended or been purged since its page was read.
        const letter = await store.deadLetter(id)
        if (letter?.replay !== undefined && this.#owns(letter)) this.#start(letter)
      }
      if (letters.length < pageSize) break
    }
    if (this.#underWay.size > this.#underWay.endedCount) engine.hurry()
  }

  #owns({ key, route }: Letter): boolean {
    return key === undefined || this.#options.owns?.(entityKeyOfLane(key, route)) !== false
  }

  /** @param onTakenBack called when it has ended, for a retry without request. */
  #start({ data, ...summary }: DeadLetter, onTakenBack?: OnTakenBack): void {
    this.#underWay.begin(summary.id, summary)
    const isTakenBack = onTakenBack !== undefined
    const onSettled = (outcome: Outcome) => {
      this.#settled(summary, outcome, isTakenBack)
      onTakenBack?.(summary.id, outcome.kind === 'dead-lettered')
    }
    const problem = this.#options.pipeline.replay({ ...summary, data }, onSettled, isTakenBack)
    if (problem === undefined) return
    onTakenBack?.(summary.id, true)
    this.#keep(
      summary,
      `Cannot be replayed: ${problem}. Correct the entity on the platform, or the connector. Then purge this dead letter, or replay it again.`,
    )
    this.#underWay.end(summary.id)
  }

  #settled(letter: Letter, outcome: Outcome, isTakenBack: boolean): void {
    const { checkpointer, logger, bound } = this.#options
    const attributes = { dead_letter: letter.id, entity_id: letter.entityId }
    if (outcome === staleOutcome && !isTakenBack) {
      const original = letter.error.startsWith(stalePrefix)
        ? letter.error.slice(letter.error.indexOf('\n') + 1)
        : letter.error
      this.#keep(
        letter,
        `${stalePrefix}the connector has processed a newer event of this entity since. To deliver this one anyway, replay it with --force. It failed with:\n${original}`,
      )
      logger.warn('Dead letter not replayed: it is stale', attributes)
    } else if (outcome.kind !== 'dead-lettered' && outcome !== droppedByReset) {
      // After a delivery, the id map's commit removes it, too, whichever comes first.
      checkpointer.removeDeadLetter(letter.id)
      bound.remove()
      logger.debug('Dead letter replayed', {
        ...attributes,
        outcome: outcome.kind === 'skipped' ? outcome.reason : outcome.kind,
      })
    }
    this.#underWay.end(letter.id)
  }

  /** Keeps the letter with a new error, and ends the request. */
  #keep(letter: Letter, error: string): void {
    const { id, attempts, lastAtMs, replay } = letter
    this.#options.checkpointer.updateDeadLetter({ id, attempts, lastAtMs, error, answered: replay })
  }

  /** The state could not be read or written. Report it once, and check again later. */
  #failed(problem: string): void {
    if (this.#problem !== problem) {
      this.#options.logger.warn('Dead letters cannot be replayed now', { error: problem })
    }
    this.#problem = problem
  }
}

export interface ReplayerOptions {
  /** Whether this copy retries letters of an entity, by key without route. @default all */
  readonly owns?: ((entityKey: string) => boolean) | undefined
  readonly store: StateStore
  readonly checkpointer: Checkpointer
  readonly clock: Clock
  readonly logger: Logger
  /** Waits for room for one more event. */
  readonly room: Bound
  /** Takes a letter's event through the lanes; returns what is wrong with an unreadable letter. */
  readonly pipeline: {
    /** @param isFirst whether it goes before queued events of its entity. */
    replay(letter: DeadLetter, onSettled: (outcome: Outcome) => void, isFirst: boolean): string | undefined
  }
  readonly engine: { hurry(): void }
  /** Counts the letters. */
  readonly bound: { remove(): void }
}
