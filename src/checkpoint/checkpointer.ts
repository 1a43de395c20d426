import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { startOfTime, type Position } from '../opencti/position.ts'
import {
  type DeadLetterUpdate,
  type EntityRecord,
  type MaybePromise,
  type NewDeadLetter,
  type StateStore,
} from '../store/state-store.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { Departures } from './departures.ts'
import { KnownKeys } from './known-keys.ts'

/** What a {@link Checkpointer} needs. */
export interface CheckpointerOptions {
  readonly store: StateStore
  readonly clock: Clock
  readonly random: Random
  /** Values that go with every commit, asked for just before: the position above all. */
  readonly values: () => ReadonlyMap<string, string | undefined>
  /** The position that the same values save. Default: none, and nothing is remembered of entities that are gone. */
  readonly safe?: (() => Position | undefined) | undefined
  /** The state cannot be written, or can be written again. */
  readonly onHealth: (problem: StreamConnectorError | undefined) => void
}

/** The longest that a finished event waits for its position to be saved, in milliseconds. */
const commitDelayMs = 100

/** With more changes than this waiting, they are written at once. */
const maxPendingChanges = 10_000

const retryBounds = { baseMs: 500, maxMs: 10_000 }

/**
 * Gathers what must become durable and writes it together: the id map, dead letters and the position that depends on
 * them, in one transaction. Since the position is asked for at that moment, it can never be ahead of the rest.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions
  /** Newest state of an entity that is not written yet; undefined: to be removed. */
  #entities = new Map<string, EntityRecord | undefined>()
  #deadLetters: NewDeadLetter[] = []
  #removedDeadLetters = new Set<number>()
  #updatedDeadLetters = new Map<number, DeadLetterUpdate>()
  /** Keys whose dead letters are older than an event that ended, with its position. */
  #outdated = new Map<string, string>()
  readonly #departures = new Departures()
  #writtenSafe: Position | undefined
  /** Those of the commit that is under way. */
  #writingOutdated: ReadonlyMap<string, string> | undefined
  /** What the commit that is under way writes; still asked when an entity is looked up. */
  #writing: ReadonlyMap<string, EntityRecord | undefined> | undefined
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
  #healthy: PromiseWithResolvers<void> | undefined

  constructor(options: CheckpointerOptions) {
    this.#options = options
  }

  /** Why the state cannot be written now; undefined when it can. */
  get problem(): StreamConnectorError | undefined {
    return this.#problem
  }

  /** What is known of an entity, also when it is not written yet. */
  entity(key: string): MaybePromise<EntityRecord | undefined> {
    if (this.#entities.has(key)) return this.#entities.get(key)
    if (this.#writing?.has(key)) return this.#writing.get(key)
    if (!this.#isAsked) void this.#askWhetherEmpty()
    if (this.#beganEmpty && this.#known?.mayHave(key) === false) return undefined
    return this.#options.store.entity(key)
  }

  /** @param replayed the dead letter that was delivered with it: removed by the same commit. */
  putEntity(record: EntityRecord, replayed?: number): void {
    this.#entities.set(record.key, record)
    this.#know(record.key)
    if (replayed !== undefined) this.#removedDeadLetters.add(replayed)
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
   */
  async forgetPositions(values?: ReadonlyMap<string, string | undefined>): Promise<void> {
    while (this.#running !== undefined) await this.#running
    this.#departures.clear()
    this.#writtenSafe = undefined
    await this.#options.store.commit({ forgetPositions: true, values })
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
    this.#entities.set(key, undefined)
    // Without a stream nothing comes again.
    if (position !== undefined && this.#options.safe?.() !== undefined) this.#departures.add(key, position)
    if (replayed !== undefined) this.#removedDeadLetters.add(replayed)
    this.touch()
  }

  /** An event has ended without leaving its position in the id map: older dead letters of its entity are outdated. */
  outdateDeadLetters(key: string, position: string): void {
    this.#outdated.set(key, position)
    this.touch()
  }

  /** What {@link outdateDeadLetters} was told of an entity and is not in the store yet. */
  outdatedAt(key: string): string | undefined {
    return this.#outdated.get(key) ?? this.#writingOutdated?.get(key)
  }

  addDeadLetter(letter: NewDeadLetter): void {
    this.#deadLetters.push(letter)
    this.touch()
  }

  removeDeadLetter(id: number): void {
    this.#removedDeadLetters.add(id)
    this.touch()
  }

  updateDeadLetter(update: DeadLetterUpdate): void {
    this.#updatedDeadLetters.set(update.id, update)
    this.touch()
  }

  /** Something that the values depend on has moved: write it soon. */
  touch(): void {
    this.#dirty = true
    if (this.#running !== undefined) return
    if (this.#entities.size + this.#deadLetters.length >= maxPendingChanges && this.#failures === 0) {
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

  /** Resolves when the state can be written; undefined when it can now. Take in no more work before that. */
  room(): Promise<void> | undefined {
    if (this.#problem === undefined) return undefined
    this.#healthy ??= Promise.withResolvers<void>()
    return this.#healthy.promise
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
    for (const key of [...this.#entities.keys(), ...(this.#writing?.keys() ?? [])]) this.#known.add(key)
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
      this.#writingOutdated = undefined
      if (this.#dirty) this.#schedule(this.#delayMs)
    })
    return this.#running
  }

  async #write(): Promise<void> {
    const entities = this.#entities
    const deadLetters = this.#deadLetters
    const removedDeadLetters = this.#removedDeadLetters
    const updatedDeadLetters = this.#updatedDeadLetters
    const outdated = this.#outdated
    const durable = this.#durable || deadLetters.length > 0
    // Asked for with the values: of the same moment.
    const values = this.#options.values()
    const safe = this.#options.safe?.()
    const departures = this.#departures.changes(safe ?? startOfTime)
    this.#entities = new Map()
    this.#deadLetters = []
    this.#removedDeadLetters = new Set()
    this.#updatedDeadLetters = new Map()
    this.#outdated = new Map()
    this.#writing = entities
    this.#writingOutdated = outdated
    this.#dirty = false
    this.#isHurried = false
    this.#durable = false
    try {
      await this.#options.store.commit({
        values,
        putDepartures: departures.putDepartures,
        removeDepartures: departures.removeDepartures,
        putEntities: present(entities),
        deleteEntities: absent(entities),
        addDeadLetters: deadLetters,
        updateDeadLetters: updatedDeadLetters.values(),
        outdateDeadLetters: outdated,
        removeDeadLetters: removedDeadLetters,
        durable,
      })
      departures.done()
      this.#writtenSafe = safe
      this.#failures = 0
      this.#report(undefined)
    } catch (error) {
      departures.failed()
      // Put everything back under what came meanwhile, which is newer.
      for (const [key, record] of entities) if (!this.#entities.has(key)) this.#entities.set(key, record)
      this.#deadLetters = [...deadLetters, ...this.#deadLetters]
      for (const id of removedDeadLetters) this.#removedDeadLetters.add(id)
      this.#updatedDeadLetters = new Map([...updatedDeadLetters, ...this.#updatedDeadLetters])
      this.#outdated = new Map([...outdated, ...this.#outdated])
      this.#dirty = true
      // A durable write can have been asked for meanwhile.
      this.#durable ||= durable
      this.#failures++
      this.#report(error as StreamConnectorError)
    }
  }

  #report(problem: StreamConnectorError | undefined): void {
    const changed = (problem === undefined) !== (this.#problem === undefined)
    this.#problem = problem
    if (changed) this.#options.onHealth(problem)
    if (problem === undefined) {
      this.#healthy?.resolve()
      this.#healthy = undefined
    }
  }
}

function* present(entities: ReadonlyMap<string, EntityRecord | undefined>): Iterable<EntityRecord> {
  for (const record of entities.values()) if (record !== undefined) yield record
}

function* absent(entities: ReadonlyMap<string, EntityRecord | undefined>): Iterable<string> {
  for (const [key, record] of entities) if (record === undefined) yield key
}
