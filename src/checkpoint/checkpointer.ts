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
import { KnownKeys } from './known-keys.ts'
import { UnreadKeys } from './unread-keys.ts'

/** What a commit takes along: a part of the connector whose state must be written together with what depends on it. */
export interface CommitPart {
  /**
   * What has to be written with the next commit, asked for just before it; undefined for a value that is to go.
   *
   * @param isUnsure whether the last commit may have failed, so that what it wrote has to be written again.
   */
  values(isUnsure: boolean): ReadonlyMap<string, string | undefined>
}

/** Whether the state can be written, and read. */
export type StateNotice =
  | { readonly kind: 'state-not-written'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-restored' }
  | { readonly kind: 'state-not-read'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-readable' }

/** The longest that a finished event waits for its position to be saved, in milliseconds. */
const commitDelayMs = 100

/** With more changes than this waiting, they are written at once. */
const maxPendingChanges = 10_000

/** With more than this waiting behind a commit that is under way, the disk is slower than the stream. */
const maxChangesBehind = 50_000

const retryBounds = { baseMs: 500, maxMs: 10_000 }

/**
 * Gathers what must become durable and writes it together: the id map, dead letters and the position that depends on
 * them, in one transaction. Since the position is asked for at that moment, it can never be ahead of the rest.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions
  readonly #parts: CommitPart[] = []
  #pending = new PendingChanges()
  readonly #departures = new RecentDeletes()
  #writtenSafe: Position | undefined
  /** As of when the state was last written, on the monotonic clock. */
  #writtenMs: number
  /** What the commit that is under way writes; still asked when an entity is looked up. */
  #writing: PendingChanges | undefined
  /** Keys that were written since the store was opened; undefined when they would say nothing. */
  #known: KnownKeys | undefined
  /** The store began empty, so that it knows no other keys. */
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

  constructor(options: CheckpointerOptions) {
    this.#options = options
    this.#writtenMs = options.clock.monotonic()
    this.#unread = new UnreadKeys((error) =>
      options.onNotice(error === undefined ? { kind: 'state-readable' } : { kind: 'state-not-read', error }),
    )
  }

  /** From now on these go with every commit. */
  include(parts: readonly CommitPart[]): void {
    this.#parts.push(...parts)
  }

  /** Why the state cannot be written now; undefined when it can. */
  get problem(): StreamConnectorError | undefined {
    return this.#problem
  }

  /** Milliseconds since the state was last written. */
  get ageMs(): number {
    return this.#options.clock.monotonic() - this.#writtenMs
  }

  /** Why a part of the id map cannot be read; undefined when all that was asked for can. */
  get readProblem(): StreamConnectorError | undefined {
    return this.#unread.problem
  }

  /** What is known of an entity, also when it is not written yet. */
  entity(key: string): MaybePromise<EntityRecord | undefined> {
    if (!this.#isAsked) void this.#askWhetherEmpty()
    if (this.#beganEmpty && this.#known?.mayHave(key) === false) return undefined
    if (this.#pending.entities.has(key)) return this.#pending.entities.get(key)
    if (this.#writing?.entities.has(key)) return this.#writing.entities.get(key)
    const record = this.#unread.read(key, () => this.#options.store.entity(key))
    const isForgetting = this.#pending.forgetsPositions || this.#writing?.forgetsPositions === true
    if (!isForgetting) return record
    return record instanceof Promise ? record.then(withoutPosition) : withoutPosition(record)
  }

  /** What is not written yet, the newest first: what is read from the store is seen through it. */
  get unwritten(): readonly [PendingChanges, ...PendingChanges[]] {
    return this.#writing === undefined ? [this.#pending] : [this.#pending, this.#writing]
  }

  /**
   * What `read` answers from the store. That it cannot be read is told.
   *
   * @param what names the part of the state.
   */
  read<T>(what: string, read: () => MaybePromise<T>): MaybePromise<T> {
    return this.#unread.read(what, read)
  }

  /** Entities that are due, as {@link StateStore.expiring} answers them. */
  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    return this.#unread.read('what is due', () => this.#options.store.expiring(page))
  }

  /** Whether another entity is remembered under the same id at the target, through the same route. */
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
      each !== undefined && each.key !== key && each.route === route && each.externalId === externalId
    const newest = this.#pending.entities
    const older = this.#writing?.entities
    for (const each of newest.values()) if (isOther(each)) return true
    for (const each of older?.values() ?? []) if (isOther(each) && !newest.has(each!.key)) return true
    return stored.some((each) => isOther(each) && !newest.has(each.key) && older?.has(each.key) !== true)
  }

  /** @param replayed the dead letter that was delivered with it: removed by the same commit. */
  putEntity(record: EntityRecord, replayed?: number): void {
    this.#pending.entities.set(record.key, record)
    this.#know(record.key)
    if (replayed !== undefined) this.#pending.removedDeadLetters.add(replayed)
    this.touch()
  }

  /** The position that was saved last, with all that it depends on; undefined before the first time. */
  get writtenSafe(): Position | undefined {
    return this.#writtenSafe
  }

  /** What an earlier process has left, once the store is open. */
  open(): Promise<void> {
    return this.#departures.open(this.#options.store)
  }

  /**
   * All positions of the past say nothing any more: the state begins anew.
   *
   * @param values change with it.
   * @throws as {@link flush}: it is done then as soon as something can be written, with all that comes after it.
   */
  async forgetPositions(values: ReadonlyMap<string, string | undefined> = new Map()): Promise<void> {
    while (this.#running !== undefined) await this.#running
    this.#departures.clear()
    this.#pending.forgetPositions(values)
    this.#dirty = true
    try {
      await this.flush()
    } finally {
      this.#writtenSafe = undefined
    }
  }

  /** The position of the event with which an entity that is not in the id map has gone from the target, if that is recent. */
  departureOf(key: string): Position | undefined {
    return this.#departures.positionOf(key)
  }

  /**
   * @param replayed as in {@link putEntity}.
   * @param position of the event with which it has gone.
   */
  deleteEntity(key: string, replayed?: number, position?: Position): void {
    this.#pending.entities.set(key, undefined)
    // Without a stream nothing comes again.
    if (position !== undefined && this.#options.progress?.safe !== undefined)
      this.#departures.add(key, position)
    if (replayed !== undefined) this.#pending.removedDeadLetters.add(replayed)
    this.touch()
  }

  /** An event has ended without leaving its position in the id map: older dead letters of its entity are outdated. */
  outdateDeadLetters(key: string, position: string): void {
    this.#pending.outdated.set(key, position)
    this.touch()
  }

  /** What {@link outdateDeadLetters} was told of an entity and is not in the store yet. */
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

  /** Something that the values depend on has moved: write it soon. */
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

  /** Much has ended at once: write it as soon as what is under way in this turn is done. */
  hurry(): void {
    this.#isHurried = true
    if (this.#running !== undefined || this.#failures > 0) return
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#schedule(0)
  }

  /**
   * Resolves when the state can be written, and is no longer far behind; undefined when that is so now. Take in no more work
   * before that.
   */
  room(): Promise<void> | undefined {
    if (this.#problem !== undefined) return this.#healthy.wait()
    return this.#pending.size < maxChangesBehind ? undefined : this.#running
  }

  /**
   * Writes all that is pending now.
   *
   * @param durable also safe from a loss of power: for what is about to be told to others.
   * @throws StreamConnectorError with a `STATE_` code when it cannot be written; the changes are kept.
   */
  async flush(durable = false): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (durable) this.#durable = true
    while (this.#running !== undefined) await this.#running
    if (this.#dirty || this.#durable) await this.#commit()
    if (this.#problem !== undefined) throw this.#problem
  }

  /** Stops the timer; nothing is written any more by itself, not even what a late hook still adds. */
  stop(): void {
    this.#isStopped = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /**
   * A store has one holder at a time, which is us: when there is nothing in it, only what we write can come into it. What
   * we write before the answer is remembered already.
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
      // The store is asked for each key then, which tells.
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

  /** How long the next commit waits for more to come. */
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
    // Asked for with the values: of the same moment.
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
      // A durable write can have been asked for meanwhile.
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
  /** The position that {@link CommitPart}s save. Default: none, and nothing is remembered of entities that are gone. */
  readonly progress?: { readonly safe: Position | undefined } | undefined
  readonly onNotice: (notice: StateNotice) => void
}
