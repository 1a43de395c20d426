import { type Ticket } from '../checkpoint/ledger.ts'
import { describeError } from '../errors/verdict.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { type EventLedger, type Pipeline } from '../intake/pipeline.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type Logger } from '../util/logger.ts'
import { parsePosition, type Position } from '../util/position.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type ClusterKeys } from './cluster-keys.ts'
import { type EndedEntries } from './ended-entries.ts'
import { type EntryHead, messageOf, tokenOf } from './entry-head.ts'
import { type Membership } from './membership.ts'
import { partitionOf } from './partition-of.ts'
import { type RedisEntry, type StreamTail } from './stream-tail.ts'

/** Entries to read at a time, over all partitions. */
const maxEntries = 256

/** Longest wait for entries, in milliseconds: after this, changes of the partitions are noticed. */
const waitMs = 250

/** Pause before another look at work that must end, or before another attempt, in milliseconds. */
const restMs = 50

/** A partition that this copy works on. */
interface Place {
  readonly partition: number
  /** The last entry read. */
  last: string
  /** Entries read and not yet gone from Redis. */
  unfinished: number
  /** It is about to be given back: nothing more is read. */
  isClosing: boolean
}

/**
 * Feeds the pipeline from the partitions that this copy owns, in the order of each. A partition is given back
 * once everything read from it has ended and is saved, so that its next owner begins where this one ended.
 */
export class PartitionReader {
  readonly #options: PartitionReaderOptions
  readonly #places = new Map<number, Place>()
  /** The newest leader whose entries were read. */
  #leaderToken = 0
  #problem: string | undefined

  constructor(options: PartitionReaderOptions) {
    this.#options = options
  }

  /** Whether work on an entity may begin here. @param key its key, without a route. */
  owns(key: string): boolean {
    const place = this.#places.get(partitionOf(key, this.#options.partitions))
    return place !== undefined && !place.isClosing && this.#options.membership.owns(place.partition)
  }

  /** Reads until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#readNext(signal)
        this.#problem = undefined
      } catch (error) {
        if (signal.aborted) return
        const problem = describeError(error)
        if (problem !== this.#problem)
          this.#options.logger.warn('The partitions cannot be read now; trying again', { error: problem })
        this.#problem = problem
        await delay(this.#options.clock, restMs * 4, signal).catch(() => {})
      }
    }
  }

  /** Gives back the partitions of which nothing is under way. Nothing is read anymore. */
  async giveBackAll(): Promise<void> {
    await this.#options.flush()
    for (const place of this.#places.values()) {
      place.isClosing = true
      if (place.unfinished > 0 || this.#isBusy(place)) continue
      this.#places.delete(place.partition)
      // If that fails, the others wait until the lease is over.
      await this.#options.membership.giveBack(place.partition).catch(() => {})
    }
  }

  #isBusy({ partition }: Place): boolean {
    const { hasWork, partitions } = this.#options
    return hasWork((key) => partitionOf(key, partitions) === partition)
  }

  async #readNext(signal: AbortSignal): Promise<void> {
    const { membership, room, tail, keys, clock } = this.#options
    await this.#open()
    await this.#close()
    const full = room.room()
    if (full !== undefined) {
      // Partitions are given back meanwhile.
      await raceWithSignal(signal, () => Promise.race([full, delay(clock, waitMs, signal)]))
      return
    }
    const open = [...this.#places.values()].filter(({ isClosing }) => !isClosing)
    if (open.length === 0 || !membership.isHeld) {
      await delay(clock, restMs, signal)
      return
    }
    const after = new Map(open.map(({ partition, last }) => [keys.entries(partition), last]))
    const count = Math.ceil(maxEntries / open.length)
    const found = await tail.read(after, { count, waitMs })
    signal.throwIfAborted()
    for (const place of open) {
      for (const entry of found.get(keys.entries(place.partition)) ?? []) await this.#accept(place, entry)
    }
  }

  async #accept(place: Place, [id, fields]: RedisEntry): Promise<void> {
    const { pipeline, membership, ended, onNewLeader, onNewest } = this.#options
    if (!membership.owns(place.partition)) return
    const token = tokenOf(id)
    if (token > this.#leaderToken) {
      if (this.#leaderToken > 0) await onNewLeader()
      this.#leaderToken = token
    }
    place.last = id
    place.unfinished++
    const [, text, , data] = fields
    const head = JSON.parse(text!) as EntryHead
    const newest = head.newest === undefined ? undefined : parsePosition(head.newest)
    if (newest !== undefined) onNewest(newest)
    const end = () => ended.add(place.partition, id, () => place.unfinished--)
    pipeline.accept(messageOf(head, data!), new EntryLedger(head, end))
  }

  /** Begins with partitions that are new here. */
  async #open(): Promise<void> {
    const { membership, onTaken } = this.#options
    for (const { partition, cutOffSinceMs } of membership.partitions) {
      if (this.#places.has(partition)) continue
      await onTaken(cutOffSinceMs)
      this.#places.set(partition, { partition, last: '0-0', unfinished: 0, isClosing: false })
    }
  }

  /** Gives back what is above this copy's share, once nothing of it is under way. */
  async #close(): Promise<void> {
    const { membership, flush } = this.#options
    const closing = [...this.#places.values()].filter(({ isClosing }) => isClosing)
    for (let more = membership.surplus - closing.length; more > 0; more--) {
      const place = [...this.#places.values()].findLast(({ isClosing }) => !isClosing)
      if (place === undefined) break
      place.isClosing = true
      closing.push(place)
    }
    for (const place of closing) {
      if (place.unfinished > 0 || this.#isBusy(place)) continue
      await flush()
      if (place.unfinished > 0 || this.#isBusy(place)) continue
      this.#places.delete(place.partition)
      await membership.giveBack(place.partition)
    }
  }
}

/** Stands in for the ledger of the stream: the end of an event is the end of its entry. */
class EntryLedger implements EventLedger {
  readonly part: string | undefined
  readonly #isTold: boolean
  readonly #end: () => void

  constructor({ isPart, key, isTold }: EntryHead, end: () => void) {
    this.part = isPart === true ? key : undefined
    this.#isTold = isTold === true
    this.#end = end
  }

  receive(_position: Position | undefined, _member: string, _isMain: boolean): Ticket {
    return this
  }

  hasTold(): boolean {
    return this.#isTold
  }

  settle(): void {
    this.#end()
  }
}

export interface PartitionReaderOptions {
  readonly membership: Membership
  readonly keys: ClusterKeys
  readonly tail: StreamTail
  readonly partitions: number
  readonly pipeline: Pick<Pipeline, 'accept'>
  readonly ended: EndedEntries
  /** Limits how many events may be taken in. */
  readonly room: Bound
  /** Whether anything is under way for entities with such a key. */
  readonly hasWork: (concerns: (entityKey: string) => boolean) => boolean
  /** Saves everything that has ended. */
  readonly flush: () => Promise<void>
  /** A partition is new here. @param cutOffSinceMs as in `OwnedPartition`. */
  readonly onTaken: (cutOffSinceMs: number | undefined) => Promise<void>
  /** Another copy leads now, which may publish again what has ended. */
  readonly onNewLeader: () => Promise<void>
  /** What the platform's newest event was when the stream was opened. */
  readonly onNewest: (newest: Position) => void
  readonly clock: Clock
  readonly logger: Logger
}
