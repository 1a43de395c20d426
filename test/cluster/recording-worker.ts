import { onTestFinished } from 'vitest'
import { EndedEntries } from '../../src/cluster/ended-entries.ts'
import { type Membership } from '../../src/cluster/membership.ts'
import { PartitionReader } from '../../src/cluster/partition-reader.ts'
import { StreamTail } from '../../src/cluster/stream-tail.ts'
import { type EventLedger } from '../../src/intake/pipeline.ts'
import { RedisScript } from '../../src/redis/redis-script.ts'
import { type StreamMessage } from '../../src/stream/stream-message.ts'
import { systemClock } from '../../src/util/clock.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { type Copies } from './copies.ts'

/** What a store does with every commit: check the leases, and carry out the commands. */
const commit = new RedisScript(`
for index, key in ipairs(KEYS) do
  if redis.call('GET', key) ~= ARGV[index] then return 'lost' end
end
for index = #KEYS + 1, #ARGV do redis.call(unpack(cjson.decode(ARGV[index]))) end
return 'ok'`)

/** An event that has reached a worker. */
export interface Received {
  readonly message: StreamMessage
  readonly part: string | undefined
  readonly isTold: boolean
  /** The event has ended. */
  readonly end: () => void
}

/** The part of a copy that reads partitions; the test decides when events end and are saved. */
export class RecordingWorker {
  readonly received: Received[] = []
  readonly takeovers: (number | undefined)[] = []
  newLeaders = 0
  /** Whether each event ends at once. */
  endsAtOnce: boolean
  readonly reader: PartitionReader
  readonly #ended: EndedEntries
  readonly #membership: Membership
  readonly #abort = new AbortController()
  #connection: Awaited<ReturnType<Copies['connection']>> | undefined

  private constructor(copies: Copies, membership: Membership, tail: StreamTail, endsAtOnce: boolean) {
    this.#membership = membership
    this.endsAtOnce = endsAtOnce
    this.#ended = new EndedEntries(copies.keys)
    this.reader = new PartitionReader({
      membership,
      keys: copies.keys,
      tail,
      partitions: copies.partitions,
      pipeline: { accept: (message, ledger) => this.#accept(message, ledger!) },
      ended: this.#ended,
      room: { room: () => undefined },
      hasWork: () => false,
      flush: () => this.commit(),
      onTaken: async (cutOffSinceMs) => void this.takeovers.push(cutOffSinceMs),
      onNewLeader: async () => void this.newLeaders++,
      onNewest: () => {},
      clock: systemClock,
      logger: silentLogger,
    })
  }

  static async start(copies: Copies, membership: Membership, endsAtOnce = true): Promise<RecordingWorker> {
    const tail = new StreamTail(await copies.connection())
    const worker = new RecordingWorker(copies, membership, tail, endsAtOnce)
    worker.#connection = await copies.connection()
    void worker.reader.run(worker.#abort.signal)
    onTestFinished(() => worker.kill())
    return worker
  }

  get texts(): string[] {
    return this.received.map(({ message }) => `${message.event} ${message.id}`)
  }

  /** Saves what has ended. */
  async commit(): Promise<void> {
    const { fence } = this.#membership
    this.#ended.save()
    const departure = this.#ended.depart()
    const commands = departure.commands.map((parts) => JSON.stringify(parts))
    const answer = await this.#connection!.run(
      'writing',
      commit,
      [...fence.keys()],
      [...fence.values(), ...commands],
    )
    if (answer === 'ok') departure.saved()
    else departure.notSaved()
  }

  kill(): void {
    this.#abort.abort(new Error('the test has ended'))
  }

  #accept(message: StreamMessage, ledger: EventLedger): undefined {
    const ticket = ledger.receive(undefined, '', true)!
    const end = () => ledger.settle(ticket)
    this.received.push({ message, part: ledger.part, isTold: ledger.hasTold(undefined as never), end })
    if (!this.endsAtOnce) return
    end()
    void this.commit()
  }
}
