import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { startOfTime, type Position } from '../util/position.ts'
import {
  type DeadLetterUpdate,
  type EntityRecord,
  type MaybePromise,
  type NewDeadLetter,
  type StateStore,
} from '../store/state-store.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { RecentDeletes, PendingChanges, withoutPosition } from './pending-changes.ts'
import { type CommitPart, type StateNotice } from './commit-part.ts'
import { KnownKeys } from './known-keys.ts'
import { ReadAhead } from './read-ahead.ts'
import { UnreadKeys } from './unread-keys.ts'

/** Maximum time a finished event waits for its position to be saved, in milliseconds. */
const commitDelayMs = 100

/** With more pending changes than this, they are written immediately. */
const maxPendingChanges = 10_000

/** With more changes than this waiting for a running commit, the disk is slower than the stream. */
const maxChangesBehind = 50_000

const retryBounds = { baseMs: 500, maxMs: 10_000 }

/**
 * Collects what must become durable and writes it together: the id map, dead letters, and the position that
 * depends on them, in one transaction. The position is determined at that moment, so it can never be ahead of
 * the rest.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions
  readonly #parts: CommitPart[] = []
  #pending = new PendingChanges()
  readonly #departures = new RecentDeletes()
  #writtenSafe: Position | undefined
  /** The time of the state last written, on the monotonic clock. */
  #writtenMs: number
  /** The changes that the running commit writes; still consulted when an entity is read. */
  #writing: PendingChanges | undefined
  /** Keys written since the store was opened; undefined once the filter is useless. */
  #known: KnownKeys | undefined
  /** The store was empty at the start, so it has no other keys. */
  #beganEmpty = false
  #isAsked = false
  #dirty = false
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined
  #durable = false
  #isHurried = false
  #isStopped = false
  #failures = 0
  #problem: StreamConnectorError | undefined
  readonly #healthy = new Condition()
  readonly #unread: UnreadKeys
  /** Undefined if the store cannot answer synchronously. */
  readonly #readAhead: ReadAhead | undefined

  constructor(options: CheckpointerOptions) {
    this.#options = options
    this.#writtenMs = options.clock.monotonic()
    if (options.store.entitiesOf !== undefined) this.#readAhead = new ReadAhead(options.store)
    this.#unread = new UnreadKeys((error) =>
      options.onNotice(error === undefined ? { kind: 'state-readable' } : { kind: 'state-not-read', error }),
    )
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

  /** Why a part of the id map cannot be read; undefined if everything requested can. */
  get readProblem(): StreamConnectorError | undefined {
    return this.#unread.problem
  }

  /** An event of this entity is queued: its record will be requested, and is then read together with others. */
  expect(key: string): void {
    if (this.#beganEmpty && this.#known?.mayHave(key) === false) return
    if (!this.#pending.entities.has(key)) this.#readAhead?.expect(key)
  }

  /** The record of an entity, including unwritten changes. */
  entity(key: string): MaybePromise<EntityRecord | undefined> {
    if (!this.#isAsked) void this.#askWhetherEmpty()
    if (this.#beganEmpty && this.#known?.mayHave(key) === false) return undefined
    if (this.#pending.entities.has(key)) return this.#pending.entities.get(key)
    if (this.#writing?.entities.has(key)) return this.#writing.entities.get(key)
    const isForgetting = this.#pending.forgetsPositions || this.#writing?.forgetsPositions === true
    const ahead = isForgetting ? undefined : this.#readAhead?.take(key, this.#isUnwritten)
    if (ahead !== undefined) return ahead ?? undefined
    const record = this.#unread.read(key, () => this.#options.store.entity(key))
    if (!isForgetting) return record
    return record instanceof Promise ? record.then(withoutPosition) : withoutPosition(record)
  }

  readonly #isUnwritten = (key: string): boolean =>
    this.#pending.entities.has(key) || this.#writing?.entities.has(key) === true

  /** Unwritten changes, newest first. They take precedence over what is read from the store. */
  get unwritten(): readonly [PendingChanges, ...PendingChanges[]] {
    return this.#writing === undefined ? [this.#pending] : [this.#pending, this.#writing]
  }

  /**
   * Returns what `read` gets from the store, and reports if it cannot be read.
   *
   * @param what names the part of the state.
   */
  read<T>(what: string, read: () => MaybePromise<T>): MaybePromise<T> {
    return this.#unread.read(what, read)
  }

  /** Entities that are due, as in {@link StateStore.expiring}. */
  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    return this.#unread.read('what is due', () => this.#options.store.expiring(page))
  }

  /** Whether another entity has the same id on the target, through the same route. */
  isShared(record: EntityRecord): MaybePromise<boolean> {
    const others = this.#unread.read(`at ${record.externalId!}`, () =>
      this.#options.store.entitiesAt(record.externalId!),
    )
    return others instanceof Promise
      ? others.then((found) => this.#isShared(record, found))
      : this.#isShared(record, others)
  }

  #isShared({ key, route, externalId }: EntityRecord, stored: readonly EntityRecord[]): boolean {
    const isOther = (each: EntityRecord | undefined) =>
      each?.key !== key && each?.route === route && each?.externalId === externalId
    for (const each of this.#pending.entities.values()) if (isOther(each)) return true
    for (const each of this.#writing?.entities.values() ?? [])
      if (isOther(each) && !this.#pending.entities.has(each!.key)) return true
    return stored.some((each) => isOther(each) && !this.#isUnwritten(each.key))
  }

  /** @param replayed the dead letter that was delivered with it; removed by the same commit. */
  putEntity(record: EntityRecord, replayed?: number): void {
    this.#pending.entities.set(record.key, record)
    this.#readAhead?.forget(record.key)
    this.#know(record.key)
    if (replayed !== undefined) this.#pending.removedDeadLetters.add(replayed)
    this.touch()
  }

  /** The last saved position, with everything it depends on; undefined before the first commit. */
  get writtenSafe(): Position | undefined {
    return this.#writtenSafe
  }

  /** Loads what an earlier process left, once the store is open. */
  open(): Promise<void> {
    return this.#departures.open(this.#options.store)
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
    this.#departures.clear()
    this.#readAhead?.clear()
    this.#pending.forgetPositions(values)
    this.#dirty = true
    try {
      await this.flush()
    } finally {
      this.#writtenSafe = undefined
    }
  }

  /** Position of the event that withdrew an entity no longer in the id map, if it was recent. */
  departureOf(key: string): Position | undefined {
    return this.#departures.positionOf(key)
  }

  /**
   * @param replayed as in {@link putEntity}.
   * @param position of the event that withdrew it.
   */
  deleteEntity(key: string, replayed?: number, position?: Position): void {
    this.#pending.entities.set(key, undefined)
    this.#readAhead?.forget(key)
    // Without a stream, nothing comes again.
    if (position !== undefined && this.#options.progress?.safe !== undefined)
      this.#departures.add(key, position)
    if (replayed !== undefined) this.#pending.removedDeadLetters.add(replayed)
    this.touch()
  }

  /** An event ended without a position in the id map: older dead letters of its entity are outdated. */
  outdateDeadLetters(key: string, position: string): void {
    this.#pending.outdated.set(key, position)
    this.touch()
  }

  /** The position from {@link outdateDeadLetters} for an entity, until the store has it. */
  outdatedAt(key: string): string | undefined {
    return this.#pending.outdated.get(key) ?? this.#writing?.outdated.get(key)
  }

  addDeadLetter(letter: NewDeadLetter): void {
    this.#pending.addDeadLetter(letter)
    this.touch()
  }

  removeDeadLetter(id: number): void {
    this.#pending.removedDeadLetters.add(id)
    this.touch()
  }

  updateDeadLetter(update: DeadLetterUpdate): void {
    this.#pending.updateDeadLetter(update)
    this.touch()
  }

  /** Something that the values depend on has changed: write it soon. */
  touch(): void {
    this.#dirty = true
    if (this.#running !== undefined) return
    if (this.#pending.size >= maxPendingChanges && this.#failures === 0) {
      this.#cancelTimer?.()
      this.#cancelTimer = undefined
      void this.#commit()
    } else {
      this.#schedule(commitDelayMs)
    }
  }

  /** Many operations ended at once: write as soon as the work of this turn is done. */
  hurry(): void {
    this.#isHurried = true
    if (this.#running !== undefined || this.#failures > 0) return
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#schedule(0)
  }

  /**
   * Resolves when the state can be written and is no longer far behind; undefined if that is so now. Accept
   * no more work before that.
   */
  room(): Promise<void> | undefined {
    if (this.#problem !== undefined) return this.#healthy.wait()
    return this.#pending.size < maxChangesBehind ? undefined : this.#running
  }

  /**
   * Writes all pending changes now.
   *
   * @param durable also survives a power loss: for what is about to be reported to others.
   * @throws StreamConnectorError with a `STATE_` code if it cannot be written; the changes are kept.
   */
  async flush(durable = false): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (durable) this.#durable = true
    while (this.#running !== undefined) await this.#running
    if (this.#dirty || this.#durable) await this.#commit()
    if (this.#problem !== undefined) throw this.#problem
  }

  /** Stops the timer. Nothing is written automatically anymore, not even changes that a late hook still makes. */
  stop(): void {
    this.#isStopped = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /**
   * A store has a single holder, which is us: if it is empty, only our own writes can appear in it. Writes
   * before the result are already remembered.
   */
  async #askWhetherEmpty(): Promise<void> {
    this.#isAsked = true
    this.#known = new KnownKeys()
    for (const changes of [this.#pending, this.#writing]) {
      for (const key of changes?.entities.keys() ?? []) this.#known.add(key)
    }
    try {
      this.#beganEmpty = (await this.#options.store.entities({ limit: 1 })).length === 0
    } catch {
      // In that case the store is asked for each key, and reports the error.
    }
    if (!this.#beganEmpty) this.#known = undefined
  }

  #know(key: string): void {
    if (this.#known === undefined) return
    this.#known.add(key)
    if (this.#known.isFull) this.#known = undefined
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return
    this.#cancelTimer ??= this.#options.clock.schedule(delayMs, () => {
      this.#cancelTimer = undefined
      if (this.#running === undefined) void this.#commit()
    })
  }

  /** How long the next commit waits for more changes. */
  get #delayMs(): number {
    if (this.#failures > 0) return backoffMs(this.#failures, retryBounds, this.#options.random)
    return this.#isHurried ? 0 : commitDelayMs
  }

  #commit(): Promise<void> {
    this.#running = this.#write().finally(() => {
      this.#running = undefined
      this.#writing = undefined
      if (this.#dirty) this.#schedule(this.#delayMs)
    })
    return this.#running
  }

  async #write(): Promise<void> {
    const changes = this.#pending
    const durable = this.#durable || changes.hasDeadLetters
    // Read together with the values: they must be from the same moment.
    const values = this.#values()
    const begunMs = this.#options.clock.monotonic()
    const safe = this.#options.progress?.safe
    const departures = this.#departures.changes(safe ?? startOfTime)
    this.#pending = new PendingChanges()
    this.#writing = changes
    this.#dirty = false
    this.#isHurried = false
    this.#durable = false
    try {
      await this.#options.store.commit({
        ...changes.stateChanges(values),
        putDepartures: departures.putDepartures,
        removeDepartures: departures.removeDepartures,
        durable,
      })
      departures.done()
      this.#writtenSafe = safe
      this.#writtenMs = begunMs
      this.#failures = 0
      this.#report(undefined)
    } catch (error) {
      departures.failed()
      this.#pending.addOlder(changes)
      this.#dirty = true
      // A durable write may have been requested in the meantime.
      this.#durable ||= durable
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
    if (!changed) return
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
  readonly onNotice: (notice: StateNotice) => void
}
