import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { startOfTime, type Position } from '../util/position.ts'
import {
  type DeadLetterUpdate,
  type EntityRecord,
  type NewDeadLetter,
  type StateStore,
} from '../store/state-store.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { type CommitPart, type StateNotice } from './commit-part.ts'
import { CurrentState } from './current-state.ts'
import { RecentDeletes } from './pending-changes.ts'

/** Maximum time a finished event waits for its position to be saved, in milliseconds. */
const defaultCommitDelayMs = 100

/** With more pending changes than this, they are written immediately. */
const maxPendingChanges = 10_000

/** With more changes than this waiting for a running commit, the disk is slower than the stream. */
const maxChangesBehind = 50_000

const retryBounds = { baseMs: 500, maxMs: 10_000 }

/**
 * Collects what must become durable and writes it together: the id map, dead letters, and the position that
 * depends on them, in one transaction. The position is read at the moment of the commit, so it can never be
 * ahead of the rest.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions
  readonly #parts: CommitPart[] = []
  readonly #commitDelayMs: number
  /** The state as it is now, written or not. */
  readonly state: CurrentState
  readonly #recentDeletes = new RecentDeletes()
  #writtenSafe: Position | undefined
  /** The time of the state last written, on the monotonic clock. */
  #writtenMs: number
  #isChanged = false
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined
  #isDurable = false
  #isHurried = false
  #isStopped = false
  #failures = 0
  #problem: StreamConnectorError | undefined
  readonly #healthy = new Condition()
  /** A commit has ended. */
  readonly #ended = new Condition()

  constructor(options: CheckpointerOptions) {
    this.#options = options
    this.#commitDelayMs = options.commitDelayMs ?? defaultCommitDelayMs
    this.#writtenMs = options.clock.monotonic()
    this.state = new CurrentState(options.store, options.onNotice)
  }

  /** From now on, these parts are written with every commit. */
  include(parts: readonly CommitPart[]): void {
    this.#parts.push(...parts)
  }

  /** Why the state cannot be written now; undefined if it can. */
  get problem(): StreamConnectorError | undefined {
    return this.#problem
  }

  /** Milliseconds since the state was last written. */
  get ageMs(): number {
    return this.#options.clock.monotonic() - this.#writtenMs
  }

  /** The last saved position, with everything it depends on; undefined before the first commit. */
  get writtenSafe(): Position | undefined {
    return this.#writtenSafe
  }

  /** Loads what an earlier process left, once the store is open, or what other copies have done since. */
  open(): Promise<void> {
    return this.#recentDeletes.open(this.#options.store)
  }

  /** @param replayed the dead letter that was delivered with it; removed by the same commit. */
  putEntity(record: EntityRecord, replayed?: number): void {
    this.state.putEntity(record)
    if (replayed !== undefined) this.state.newest.removedDeadLetters.add(replayed)
    this.touch()
  }

  /**
   * @param replayed as in {@link putEntity}.
   * @param position of the event that withdrew it.
   */
  deleteEntity(key: string, replayed?: number, position?: Position): void {
    this.state.deleteEntity(key)
    // Without a stream, no event comes twice.
    if (position !== undefined && this.#options.progress?.safe !== undefined)
      this.#recentDeletes.add(key, position)
    if (replayed !== undefined) this.state.newest.removedDeadLetters.add(replayed)
    this.touch()
  }

  /** Position of the event that withdrew an entity no longer in the id map, if it was recent. */
  recentDeleteOf(key: string): Position | undefined {
    return this.#recentDeletes.positionOf(key)
  }

  /**
   * Invalidates all earlier positions: the state starts over.
   *
   * @param values change with it.
   * @throws like {@link flush}: in that case it takes effect with the next successful write, along with
   * everything after it.
   */
  async forgetPositions(values: ReadonlyMap<string, string | undefined> = new Map()): Promise<void> {
    while (this.#running !== undefined) await this.#running
    this.#recentDeletes.clear()
    this.state.forgetPositions(values)
    this.#isChanged = true
    try {
      await this.flush()
    } finally {
      this.#writtenSafe = undefined
    }
  }

  /** An event ended without a position in the id map: older dead letters of its entity are outdated. */
  outdateDeadLetters(key: string, position: string): void {
    this.state.newest.outdated.set(key, position)
    this.touch()
  }

  /** The position from {@link outdateDeadLetters} for an entity, until the store has it. */
  outdatedAt(key: string): string | undefined {
    const [newest, writing] = this.state.unwritten
    return newest.outdated.get(key) ?? writing?.outdated.get(key)
  }

  addDeadLetter(letter: NewDeadLetter): void {
    this.state.newest.addDeadLetter(letter)
    this.touch()
  }

  removeDeadLetter(id: number): void {
    this.state.newest.removedDeadLetters.add(id)
    this.touch()
  }

  updateDeadLetter(update: DeadLetterUpdate): void {
    this.state.newest.updateDeadLetter(update)
    this.touch()
  }

  /** Something that a commit writes has changed: commit soon. */
  touch(): void {
    this.#isChanged = true
    if (this.#running !== undefined) return
    if (this.state.newest.size >= maxPendingChanges && this.#failures === 0) {
      this.#stopTimer()
      void this.#commit()
    } else {
      this.#schedule(this.#commitDelayMs)
    }
  }

  /** Many operations ended at once: commit at the end of this turn of the event loop. */
  hurry(): void {
    this.#isHurried = true
    if (this.#running !== undefined || this.#failures > 0) return
    this.#stopTimer()
    this.#schedule(0)
  }

  /** Resolves when everything about this entity is written, which happens soon; undefined if it is now. */
  whenWritten(key: string): Promise<void> | undefined {
    return this.state.isUnwritten(key) ? this.#untilWritten(key) : undefined
  }

  /**
   * Resolves when the state can be written and is no longer far behind; undefined if that is so now. Accept
   * no more work before that.
   */
  room(): Promise<void> | undefined {
    if (this.#problem !== undefined) return this.#healthy.wait()
    return this.state.newest.size < maxChangesBehind ? undefined : this.#running
  }

  /**
   * Writes all pending changes now.
   *
   * @param durable the changes also survive a power loss: for what others are about to be told.
   * @throws StreamConnectorError with a `STATE_` code if it cannot be written; the changes are kept.
   */
  async flush(durable = false): Promise<void> {
    this.#stopTimer()
    if (durable) this.#isDurable = true
    while (this.#running !== undefined) await this.#running
    if (this.#isChanged || this.#isDurable) await this.#commit()
    if (this.#problem !== undefined) throw this.#problem
  }

  /** Stops the timer: from now on only `flush` writes, even if a late hook still makes changes. */
  stop(): void {
    this.#isStopped = true
    this.#stopTimer()
  }

  async #untilWritten(key: string): Promise<void> {
    while (this.state.isUnwritten(key)) {
      this.hurry()
      await this.#ended.wait()
    }
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return
    this.#cancelTimer ??= this.#options.clock.schedule(delayMs, () => {
      this.#cancelTimer = undefined
      if (this.#running === undefined) void this.#commit()
    })
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** How long the next commit waits for more changes. */
  get #delayMs(): number {
    if (this.#failures > 0) return backoffMs(this.#failures, retryBounds, this.#options.random)
    return this.#isHurried ? 0 : this.#commitDelayMs
  }

  #commit(): Promise<void> {
    this.#running = this.#write().finally(() => {
      this.#running = undefined
      this.state.endWriting()
      this.#ended.notifyAll()
      if (this.#isChanged) this.#schedule(this.#delayMs)
    })
    return this.#running
  }

  async #write(): Promise<void> {
    const durable = this.#isDurable || this.state.newest.hasDeadLetters
    // Read at the same moment as the changes, without an await in between.
    const values = this.#values()
    const begunMs = this.#options.clock.monotonic()
    const safe = this.#options.progress?.safe
    const recentDeletes = this.#recentDeletes.changes(safe ?? startOfTime)
    const changes = this.state.beginWriting()
    this.#isChanged = false
    this.#isHurried = false
    this.#isDurable = false
    try {
      await this.#options.store.commit({
        ...changes.stateChanges(values),
        putDepartures: recentDeletes.putDepartures,
        removeDepartures: recentDeletes.removeDepartures,
        durable,
      })
      recentDeletes.done()
      this.#writtenSafe = safe
      this.#writtenMs = begunMs
      this.#failures = 0
      this.#report(undefined)
    } catch (error) {
      recentDeletes.failed()
      this.state.notWritten(changes)
      this.#isChanged = true
      // Somebody may have asked for a durable write in the meantime.
      this.#isDurable ||= durable
      this.#failures++
      this.#report(error as StreamConnectorError)
    }
  }

  #values(): ReadonlyMap<string, string | undefined> {
    const isUnsure = this.#problem !== undefined
    return new Map(this.#parts.flatMap((part) => [...part.values(isUnsure)]))
  }

  #report(problem: StreamConnectorError | undefined): void {
    const changed = (problem === undefined) !== (this.#problem === undefined)
    this.#problem = problem
    // Another copy leads: whoever owns the store learns that from its lease, and this one starts over.
    if (!changed || problem?.code === 'STATE_LOST') return
    this.#options.onNotice(
      problem === undefined ? { kind: 'state-restored' } : { kind: 'state-not-written', error: problem },
    )
    if (problem === undefined) this.#healthy.notifyAll()
  }
}

export interface CheckpointerOptions {
  readonly store: StateStore
  readonly clock: Clock
  readonly random: Random
  /**
   * The position that {@link CommitPart}s save. Without it, withdrawn entities are not remembered. @default
   * none
   */
  readonly progress?: { readonly safe: Position | undefined } | undefined
  /** Maximum time a finished event waits to be saved, in milliseconds. @default 100 */
  readonly commitDelayMs?: number | undefined
  readonly onNotice: (notice: StateNotice) => void
}
