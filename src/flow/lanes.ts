import { type Random } from '../util/backoff.ts'
import { Queue } from '../util/queue.ts'
import { ItemOperation, type ItemWork } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'
import { type Precedence } from './precedence.ts'

/** The operations of one entity, in stream order. Most lanes only ever hold one. */
interface Lane {
  /** Undefined once the lane has ended. */
  first: Operation | undefined
  /** Queued behind it. */
  waiting: Queue<Operation> | undefined
}

/**
 * One lane per entity: operations of an entity run one after another in stream order; those of different
 * entities run in parallel. An operation that affects several entities is in all their lanes and runs once it
 * is first in each. Because lanes fill in order of arrival, two operations never wait for each other.
 *
 * A {@link Precedence} adds further ordering. Only the order is kept here; how many operations run at a time
 * is decided elsewhere.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  readonly #ready = new Queue<Operation>()
  readonly #precedence: Precedence | undefined
  readonly #divided = new Set<Operation>()
  #size = 0

  /** @param precedence additional ordering; omit if only operations of one entity wait for each other. */
  constructor(precedence?: Precedence | undefined) {
    this.#precedence = precedence
  }

  /** Unfinished operations, except {@link divided} ones. */
  get size(): number {
    return this.#size
  }

  /** Number of operations that could start now. */
  get readyCount(): number {
    return this.#ready.size
  }

  /** Those operations, in starting order. */
  get ready(): Iterable<Operation> {
    return this.#ready
  }

  /** Operations that stay first in their lanes until all of their items, which have their own lanes, have finished. */
  get divided(): ReadonlySet<Operation> {
    return this.#divided
  }

  /** All unfinished operations, each once. */
  *[Symbol.iterator](): Iterator<Operation> {
    for (const [key, { first, waiting }] of this.#lanes) {
      if (first!.key === key) yield first!
      for (const operation of waiting ?? []) if (operation.key === key) yield operation
    }
  }

  /** The operation of the same entity that a newer one may replace: last in its lane and not started. */
  foldable(newer: Operation): Operation | undefined {
    const lane = this.#lanes.get(newer.key)
    if (lane === undefined) return undefined
    const last = lane.waiting?.last ?? lane.first!
    if (last.isStarted || this.#precedence?.mayFold(last, newer) === false) return undefined
    return last
  }

  /** The unfinished operation that was pushed first. Iterates over every lane. */
  oldest(): Operation | undefined {
    let oldest: Operation | undefined
    for (const { first } of this.#lanes.values()) {
      if (first !== undefined && (oldest === undefined || first.pushedMs < oldest.pushedMs)) oldest = first
    }
    return oldest
  }

  /** Adds an operation at the end of its lanes. */
  push(operation: Operation): void {
    this.#size++
    this.#enter(operation.key, operation)
    for (const key of operation.joined) this.#enter(key, operation)
    // An item runs during its entity's turn.
    if (!(operation instanceof ItemOperation)) this.#precedence?.enter(operation)
    if (operation.blockedBy === 0) this.#ready.push(operation)
  }

  /**
   * Adds an operation ahead of what is queued in its lanes, because it is older. Goes behind running
   * operations, however, and behind everything if operations wait for those of other entities.
   */
  pushFirst(operation: Operation): void {
    if (this.#precedence !== undefined) {
      this.push(operation)
      return
    }
    this.#size++
    for (const key of [operation.key, ...operation.joined]) this.#enterFirst(key, operation)
    if (operation.blockedBy === 0) this.#ready.push(operation)
  }

  /** The next operation that could start, not taken. */
  peek(): Operation | undefined {
    return this.#ready.first
  }

  /** Whether any of them has never been attempted. */
  get hasUntried(): boolean {
    for (const operation of this.#ready) if (operation.isUntried) return true
    return false
  }

  /** Whether others may wait for this one, which is first in its lanes. */
  isAwaited(operation: Operation): boolean {
    if (this.#precedence !== undefined) return true
    if (operation instanceof ItemOperation && this.isAwaited(operation.work.operation)) return true
    const { key, joined } = operation
    return [key, ...joined].some((each) => (this.#lanes.get(each)?.waiting?.size ?? 0) > 0)
  }

  /** Makes a random unattempted operation the next one; keeps the first if there is none. */
  preferUntried(random: Random): void {
    const untried = [...this.#ready].filter((operation) => operation.isUntried)
    const chosen = untried[Math.floor(random() * untried.length)]
    if (chosen === undefined) return
    this.#ready.remove(chosen)
    this.#ready.unshift(chosen)
  }

  /**
   * Takes the operation {@link peek} returned. @param nowMs on the monotonic clock, in whole milliseconds.
   */
  take(nowMs: number): Operation {
    const operation = this.#ready.shift()!
    operation.startedMs = nowMs
    return operation
  }

  /** A taken operation must be retried: it stays first in its lanes, and is last among the ready ones. */
  again(operation: Operation): void {
    this.#ready.push(operation)
  }

  /** An operation that was taken waits for its items. */
  divide({ operation }: ItemWork): void {
    this.#size--
    this.#divided.add(operation)
  }

  /** All items of an operation have ended: it is taken again to finish. */
  unite({ operation }: ItemWork): void {
    this.#size++
    this.#divided.delete(operation)
  }

  /** A taken operation has ended: those behind it move up. */
  finish(operation: Operation): void {
    this.#size--
    this.#leave(operation.key)
    for (const key of operation.joined) this.#leave(key)
    this.#precedence?.leave(operation, this.#ready)
  }

  /**
   * Removes everything no hook is working on, and returns it.
   *
   * @param retrying taken operations waiting elsewhere for their next attempt.
   */
  clear(retrying: Iterable<Operation>): Operation[] {
    const dropped = new Set<Operation>([...retrying, ...this.#ready])
    for (const lane of this.#lanes.values()) {
      for (const operation of lane.waiting ?? []) dropped.add(operation)
      lane.waiting = undefined
      // First in its lane, but waiting for another's.
      if (!lane.first!.isStarted) dropped.add(lane.first!)
    }
    this.#cancelDivided(dropped)
    for (const [key, lane] of this.#lanes) if (dropped.has(lane.first!)) this.#lanes.delete(key)
    this.#ready.clear()
    const kept = [...this.#lanes.values()].map(({ first }) => first!)
    this.#precedence?.keep(new Set(kept.filter((operation) => !(operation instanceof ItemOperation))))
    this.#size -= dropped.size
    return [...dropped]
  }

  /** Starts no more items of divided operations; drops those operations no hook is working on. */
  #cancelDivided(dropped: Set<Operation>): void {
    const active = new Set<Operation>()
    for (const { first } of this.#lanes.values()) {
      if (!(first instanceof ItemOperation)) continue
      first.work.cancel()
      if (!dropped.has(first)) active.add(first.work.operation)
    }
    for (const operation of this.#divided) {
      if (active.has(operation)) continue
      this.#size++
      this.#divided.delete(operation)
      dropped.add(operation)
    }
  }

  #enter(key: string, operation: Operation): void {
    const lane = this.#lanes.get(key)
    if (lane === undefined) {
      this.#lanes.set(key, { first: operation, waiting: undefined })
      return
    }
    operation.blockedBy++
    lane.waiting ??= new Queue()
    lane.waiting.push(operation)
  }

  #enterFirst(key: string, operation: Operation): void {
    const lane = this.#lanes.get(key)
    if (lane === undefined) {
      this.#lanes.set(key, { first: operation, waiting: undefined })
      return
    }
    const first = lane.first!
    lane.waiting ??= new Queue()
    const isReady = this.#ready.remove(first)
    if (!isReady && first.blockedBy === 0) {
      operation.blockedBy++
      lane.waiting.unshift(operation)
      return
    }
    first.blockedBy++
    lane.waiting.unshift(first)
    lane.first = operation
  }

  #leave(key: string): void {
    const lane = this.#lanes.get(key)!
    const next = lane.waiting?.shift()
    if (next === undefined) {
      this.#lanes.delete(key)
      // V8 grows a map with a new table that the old one points to. If an old one is in the old generation,
      // everything after it survives: a fifth of everything, when lanes still held their events.
      lane.first = undefined
      lane.waiting = undefined
      return
    }
    lane.first = next
    if (--next.blockedBy === 0) this.#ready.push(next)
  }
}
