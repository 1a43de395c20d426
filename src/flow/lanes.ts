import { type Operation } from './operation.ts'

/** The operations of one entity, in stream order. Most lanes only ever hold one. */
interface Lane {
  /** Undefined once the lane has ended. */
  first: Operation | undefined
  /** What waits behind, from `head` on. */
  waiting: Operation[] | undefined
  head: number
}

/**
 * One lane per entity: the operations of an entity run one after another in the order of the stream, those of
 * different entities side by side. An operation that touches several entities stands in all their lanes and runs when
 * it is first in each; as every lane is filled in order of arrival, two of them can never wait for each other.
 *
 * Only the order is kept here; how many run at a time is not its concern.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  readonly #ready: Operation[] = []
  #readyHead = 0
  #size = 0

  /** Operations that have not finished. */
  get size(): number {
    return this.#size
  }

  /** Operations that could start now. */
  get readyCount(): number {
    return this.#ready.length - this.#readyHead
  }

  /** The newest operation of an entity that has not started, if it is alone in its lane or last in it. */
  waiting(key: string): Operation | undefined {
    const lane = this.#lanes.get(key)
    if (lane === undefined) return undefined
    const last =
      lane.waiting !== undefined && lane.waiting.length > lane.head ? lane.waiting.at(-1)! : lane.first!
    return last.isStarted ? undefined : last
  }

  /** Puts an operation at the end of its lanes. */
  push(operation: Operation): void {
    this.#size++
    this.#enter(operation.key, operation)
    for (const key of operation.joined) this.#enter(key, operation)
    if (operation.blockedBy === 0) this.#ready.push(operation)
  }

  /** The next operation that could start, without taking it. */
  peek(): Operation | undefined {
    return this.#ready[this.#readyHead]
  }

  /** Takes the operation that {@link peek} showed. */
  take(): Operation {
    const operation = this.#ready[this.#readyHead++]!
    if (this.#readyHead === this.#ready.length) {
      this.#ready.length = 0
      this.#readyHead = 0
    } else if (this.#readyHead > 1024 && this.#readyHead * 2 > this.#ready.length) {
      this.#ready.splice(0, this.#readyHead)
      this.#readyHead = 0
    }
    operation.isStarted = true
    return operation
  }

  /** An operation that was taken has to be tried again: it is still first in its lanes, last among the ready ones. */
  again(operation: Operation): void {
    this.#ready.push(operation)
  }

  /** An operation that was taken has ended: who waits behind it moves up. */
  finish(operation: Operation): void {
    this.#size--
    this.#leave(operation.key)
    for (const key of operation.joined) this.#leave(key)
  }

  /**
   * Empties all lanes of what no hook is at work on, and answers it.
   *
   * @param resting operations that were taken and wait elsewhere for their next try.
   */
  clear(resting: Iterable<Operation>): Operation[] {
    const dropped = new Set<Operation>(resting)
    for (let index = this.#readyHead; index < this.#ready.length; index++) dropped.add(this.#ready[index]!)
    for (const lane of this.#lanes.values()) {
      for (let index = lane.head; index < (lane.waiting?.length ?? 0); index++)
        dropped.add(lane.waiting![index]!)
      lane.waiting = undefined
      lane.head = 0
    }
    for (const [key, lane] of this.#lanes) if (dropped.has(lane.first!)) this.#lanes.delete(key)
    this.#ready.length = 0
    this.#readyHead = 0
    this.#size -= dropped.size
    return [...dropped]
  }

  #enter(key: string, operation: Operation): void {
    const lane = this.#lanes.get(key)
    if (lane === undefined) {
      this.#lanes.set(key, { first: operation, waiting: undefined, head: 0 })
      return
    }
    operation.blockedBy++
    if (lane.waiting === undefined) lane.waiting = [operation]
    else lane.waiting.push(operation)
  }

  #leave(key: string): void {
    const lane = this.#lanes.get(key)!
    const { waiting } = lane
    if (waiting === undefined || lane.head === waiting.length) {
      this.#lanes.delete(key)
      // V8 grows a map by a new table that the old one points to. Should an old one be in the old generation, all that
      // came after it survives: a fifth of everything, when lanes still held their events.
      lane.first = undefined
      lane.waiting = undefined
      return
    }
    const next = waiting[lane.head++]!
    if (lane.head > 256 && lane.head * 2 > waiting.length) {
      waiting.splice(0, lane.head)
      lane.head = 0
    }
    lane.first = next
    if (--next.blockedBy === 0) this.#ready.push(next)
  }
}
