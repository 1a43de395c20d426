import { StateError } from '../errors/state-error.ts'
import { describeError } from '../errors/verdict.ts'
import { InFlightLimit, type InFlightBounds } from '../flow/in-flight-limit.ts'
import { type EventRelay } from '../intake/pipeline.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { delay } from '../util/delay.ts'
import { type Logger } from '../util/logger.ts'
import { Queue } from '../util/queue.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type ClusterKeys } from './cluster-keys.ts'
import { type RedisConnection } from '../redis/redis-connection.ts'
import { type StreamTail } from './stream-tail.ts'
import { type EntryHead } from './entry-head.ts'
import { LeftEntries } from './left-entries.ts'
import { type Membership } from './membership.ts'
import { partitionOf } from './partition-of.ts'
import { publicationOf, type Publication } from './publication.ts'
import { heads, heard, publish } from './scripts.ts'

/** Why a copy that leads has to start over. */
export const anotherLeads = 'Another copy of this connector reads the stream now. This one starts over.'

/** Entries per publication, and their bytes. */
const maxBatch = 200
const maxBatchBytes = 4 * 1024 * 1024

/** Entries to read at a time when this copy becomes the leader. */
const pageSize = 500

/** Longest wait for news from the partitions, in milliseconds. */
const waitMs = 500

const retryMs = 200

/** An entry, and what it belongs to; nothing if an earlier leader published it and nobody has asked for it yet. */
interface Unfinished {
  readonly bytes: number
  publications: Publication[]
}

/**
 * The leader's way of events: instead of delivering them, it publishes them to the partitions of their
 * entities, and settles each when the copy that owns the partition has finished it. The ledger therefore knows
 * what is safe as if everything had been delivered here.
 */
export class Publisher implements EventRelay {
  readonly #options: PublisherOptions
  readonly #limit: InFlightLimit
  readonly #queue = new Queue<Publication>()
  readonly #unfinished = new Map<string, Unfinished>()
  readonly #left = new LeftEntries()
  readonly #queued = new Condition()
  readonly #ended = new Condition()
  readonly #token: string
  #number = 0
  #lastHeard = '0-0'

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#limit = new InFlightLimit(options.bounds)
    this.#token = options.membership.leading!.token
  }

  /** Events that were published or are about to be, and have not ended. */
  get unfinished(): number {
    return this.#limit.events
  }

  /** Undefined if more events may be taken; otherwise resolves once they may. */
  room(): Promise<void> | undefined {
    return this.#limit.room()
  }

  take(event: StreamEvent, message: StreamMessage, isTold: boolean, onFinished: () => void): void {
    const { listenDelete, newest } = this.#options
    const publication = publicationOf(event, message, { isTold, onFinished, listenDelete, newest: newest() })
    this.#limit.take(publication.bytes)
    this.#queue.push(publication)
    this.#queued.notifyAll()
  }

  /** Learns what earlier leaders left unfinished. @throws StateError if Redis does not answer. */
  async open(): Promise<void> {
    const { connection, keys, partitions, membership } = this.#options
    const lease = membership.leading!
    await connection.run('writing', heard, [keys.token(lease.key), keys.ended], [lease.token, ''])
    for (let partition = 0; partition < partitions; partition++) {
      for (let from = '-'; ;) {
        const page = (await connection.run(
          'writing',
          heads,
          [keys.entries(partition)],
          [from, String(pageSize)],
        )) as string[]
        for (let index = 0; index < page.length; index += 2) this.#find(page[index]!, page[index + 1]!)
        if (page.length < pageSize * 2) break
        from = `(${page.at(-2)!}`
      }
    }
  }

  /** Publishes, and hears what has ended, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#repeat(signal, () => this.#publishNext(signal)),
      this.#repeat(signal, () => this.#listen()),
    ])
  }

  #find(id: string, text: string): void {
    const head = JSON.parse(text) as EntryHead
    this.#left.add(id, head)
    this.#unfinished.set(id, { bytes: head.bytes, publications: [] })
    this.#limit.take(head.bytes)
  }

  async #repeat(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await work()
      } catch (error) {
        if (signal.aborted) return
        this.#options.logger.debug('The partitions cannot be reached; trying again', {
          error: describeError(error),
        })
        await delay(this.#options.clock, retryMs, signal).catch(() => {})
      }
    }
  }

  /** The first publications of the queue stay there until Redis has them. */
  async #publishNext(signal: AbortSignal): Promise<void> {
    const first = this.#queue.first
    if (first === undefined) {
      await raceWithSignal(signal, () => this.#queued.wait())
      return
    }
    if (first.isAlone || first.stages.length > 1) {
      await this.#publishSlowly(first, signal)
      this.#queue.shift()
      return
    }
    const batch: Publication[] = []
    let bytes = 0
    for (const publication of this.#queue) {
      if (publication.isAlone || publication.stages.length > 1) break
      bytes += publication.bytes
      if (batch.length >= maxBatch || (bytes > maxBatchBytes && batch.length > 0)) break
      batch.push(publication)
    }
    await this.#send(
      batch.flatMap((publication) => publication.stages[0]!.map((head) => ({ head, publication }))),
    )
    for (const _ of batch) this.#queue.shift()
  }

  async #publishSlowly(publication: Publication, signal: AbortSignal): Promise<void> {
    const { stages, isAlone } = publication
    if (isAlone) await this.#untilEnded(() => this.#unfinished.size === 0, signal)
    let toEnd = publication.left
    for (const [index, stage] of stages.entries()) {
      await this.#send(stage.map((head) => ({ head, publication })))
      toEnd -= stage.length
      const isLast = index === stages.length - 1
      if (isAlone || !isLast) await this.#untilEnded(() => publication.left <= toEnd, signal)
    }
  }

  async #untilEnded(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isSo()) await raceWithSignal(signal, () => this.#ended.wait())
  }

  /** Publishes entries, unless an earlier leader has. Repeats itself until Redis has taken them. */
  async #send(
    wanted: readonly { readonly head: EntryHead; readonly publication: Publication }[],
  ): Promise<void> {
    const { membership, keys, partitions } = this.#options
    const lease = membership.leading!
    const streams = new Map<string, number>()
    const args = [lease.token]
    for (const { head, publication } of wanted) {
      const found = this.#left.find(head)
      if (found === 'finished') this.#end(publication)
      else if (found !== 'unknown') this.#unfinished.get(found.id)!.publications.push(publication)
      else {
        const id = `${this.#token}-${++this.#number}`
        const stream = keys.entries(partitionOf(head.key, partitions))
        if (!streams.has(stream)) streams.set(stream, streams.size + 2)
        args.push(String(streams.get(stream)), id, JSON.stringify(head), publication.data)
        this.#unfinished.set(id, { bytes: 0, publications: [publication] })
      }
    }
    if (args.length > 1) await this.#insist([keys.token(lease.key), ...streams.keys()], args)
  }

  /** Whatever became of the request before: Redis refuses what it has. */
  async #insist(keys: readonly string[], args: readonly string[]): Promise<void> {
    const { connection, membership, clock, signal } = this.#options
    for (;;) {
      signal.throwIfAborted()
      try {
        const answer = await connection.run('writing', publish, keys, args)
        if (answer !== 1) membership.lose(new StateError('STATE_LOST', anotherLeads))
        return
      } catch {
        await delay(clock, retryMs, signal)
      }
    }
  }

  async #listen(): Promise<void> {
    const { connection, tail, keys, membership } = this.#options
    const found = await tail.read(new Map([[keys.ended, this.#lastHeard]]), { count: 1000, waitMs })
    const messages = found.get(keys.ended) ?? []
    for (const [, fields] of messages) for (const id of fields[1]!.split(' ')) this.#endEntry(id)
    const last = messages.at(-1)
    if (last === undefined) return
    this.#lastHeard = last[0]
    this.#ended.notifyAll()
    const lease = membership.leading!
    await connection.run('writing', heard, [keys.token(lease.key), keys.ended], [lease.token, last[0]])
  }

  #endEntry(id: string): void {
    const entry = this.#unfinished.get(id)
    // Its end was told more than once, or an earlier leader has published it after this one has looked.
    if (entry === undefined) return
    this.#unfinished.delete(id)
    this.#left.delete(id)
    if (entry.bytes > 0) this.#limit.release(entry.bytes)
    for (const publication of entry.publications) this.#end(publication)
  }

  #end(publication: Publication): void {
    if (--publication.left > 0) return
    this.#limit.release(publication.bytes)
    publication.onFinished()
  }
}

export interface PublisherOptions {
  readonly connection: RedisConnection
  readonly tail: StreamTail
  readonly keys: ClusterKeys
  readonly membership: Membership
  readonly partitions: number
  /** Limits of what is unfinished in all partitions together. */
  readonly bounds: InFlightBounds
  readonly listenDelete: boolean
  /** The platform's newest event when the stream was opened, `<ms>-<seq>`. */
  readonly newest: () => string | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** Aborts when this copy no longer leads. */
  readonly signal: AbortSignal
}
