import { describe, expect, onTestFinished, test } from 'vitest'
import { partitionOf } from '../../src/cluster/partition-of.ts'
import { type Membership } from '../../src/cluster/membership.ts'
import { Publisher } from '../../src/cluster/publisher.ts'
import { StreamTail } from '../../src/cluster/stream-tail.ts'
import { decodeEvent, type EventName, type StreamEvent } from '../../src/opencti/stream-event.ts'
import { type RedisConnection } from '../../src/redis/redis-connection.ts'
import { systemClock } from '../../src/util/clock.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { parsePosition } from '../../src/util/position.ts'
import { hasRedis } from '../fixtures/redis-server.ts'
import { until } from '../fixtures/until.ts'
import { Copies } from './copies.ts'
import { type Received, RecordingWorker } from './recording-worker.ts'

describe.skipIf(!hasRedis)('the publisher', () => {
  test('settles an event when its worker has saved its end, each entity in order', async () => {
    const copies = await Copies.start()
    const membership = await copies.join('one')
    await membership.beat()
    const leader = await Leader.start(copies, membership)
    const worker = await RecordingWorker.start(copies, membership, false)
    const keys = ['a', 'b', 'c', 'd', 'e']
    for (let index = 0; index < 500; index++) leader.publish('update', keys[index % 5]!, `1000-${index}`)
    await until('all to arrive', () => worker.received.length === 500)
    for (const key of keys) {
      const ids = worker.received
        .filter(({ message }) => message.data.includes(`"${key}"`))
        .map(({ message }) => message.id)
      expect(ids).toEqual(Array.from({ length: 100 }, (_, index) => `1000-${index * 5 + keys.indexOf(key)}`))
    }
    expect(leader.finished).toEqual([])
    expect(leader.publisher.unfinished).toBe(500)
    for (const { end } of worker.received.slice(0, 250)) end()
    await worker.commit()
    await until('half to be settled', () => leader.finished.length === 250)
    for (const { end } of worker.received.slice(250)) end()
    await worker.commit()
    await until('all to be settled', () => leader.finished.length === 500)
    expect(leader.publisher.unfinished).toBe(0)
    expect(await copies.entryCount()).toBe(0)
  })

  test('waits for room when too much is unfinished', async () => {
    const copies = await Copies.start()
    const membership = await copies.join('one')
    await membership.beat()
    const leader = await Leader.start(copies, membership, { maxEvents: 10, maxBytes: 1e6 })
    const worker = await RecordingWorker.start(copies, membership, false)
    for (let index = 0; index < 10; index++) leader.publish('update', `k${index}`, `1-${index}`)
    const room = leader.publisher.room()
    expect(room).toBeDefined()
    await until('all to arrive', () => worker.received.length === 10)
    for (const { end } of worker.received) end()
    await worker.commit()
    await room
    expect(leader.publisher.room()).toBeUndefined()
  })

  test('of a new leader waits for what the former one left, and publishes only what may be unfinished', async () => {
    const copies = await Copies.start()
    const one = await copies.join('one')
    await one.beat()
    const former = await Leader.start(copies, one)
    for (const [key, id] of [
      ['a', '1-0'],
      ['b', '2-0'],
      ['a', '3-0'],
      ['b', '4-0'],
    ] as const)
      former.publish('update', key, id)
    await until('all to be published', async () => (await copies.entryCount()) === 4)
    const worker = await RecordingWorker.start(copies, one, false)
    await until('all to arrive', () => worker.received.length === 4)
    for (const { message, end } of worker.received) if (message.id === '1-0' || message.id === '2-0') end()
    await worker.commit()
    worker.kill()
    former.kill()
    await copies.forget(one, 'one')

    const two = await copies.join('two')
    await two.beat()
    const leader = await Leader.start(copies, two)
    expect(leader.publisher.unfinished).toBe(2)
    // The same events once more, and one that is new.
    for (const [key, id] of [
      ['a', '1-0'],
      ['b', '2-0'],
      ['a', '3-0'],
      ['b', '4-0'],
      ['a', '5-0'],
      ['c', '6-0'],
    ] as const)
      leader.publish('update', key, id)
    await until('what ended before an unfinished one to be settled', () => leader.finished.length === 2)
    const next = await RecordingWorker.start(copies, two)
    await until('the rest to be settled', () => leader.finished.length === 6)
    expect(next.texts.toSorted()).toEqual(['update 3-0', 'update 4-0', 'update 5-0', 'update 6-0'])
    expect(next.takeovers.every((sinceMs) => sinceMs! > 0)).toBe(true)
  })

  test('publishes nothing once another copy leads', async () => {
    const copies = await Copies.start()
    const one = await copies.join('one')
    await one.beat()
    const former = await Leader.start(copies, one)
    await copies.forget(one, 'one')
    const two = await copies.join('two')
    await two.beat()
    former.publish('update', 'a', '1-0')
    await until('the former leader to notice', () => one.lost.aborted)
    expect(await copies.entryCount()).toBe(0)
  })

  test('publishes an event whose answer was lost only once', async () => {
    const copies = await Copies.start()
    const one = await copies.join('one')
    await one.beat()
    const leader = await Leader.start(copies, one)
    // Redis does what it was asked after the connection was given up.
    copies.server.freeze()
    leader.publish('update', 'a', '1-0')
    await until('the connection to be given up', () => !leader.isConnected, 30_000)
    copies.server.thaw()
    leader.publish('update', 'a', '2-0')
    await until('both to be there', async () => (await copies.entryCount()) >= 2, 30_000)
    const worker = await RecordingWorker.start(copies, one)
    await until('both to be settled', () => leader.finished.length === 2, 30_000)
    expect(worker.texts).toEqual(['update 1-0', 'update 2-0'])
  }, 60_000)

  test('sends the parts of a merge to the owners of their entities, the removed ones after the target, then goes on', async () => {
    const copies = await Copies.start(16)
    const one = await copies.join('one')
    await one.beat()
    const leader = await Leader.start(copies, one)
    const worker = await RecordingWorker.start(copies, one, false)
    const [source, other] = ['s1', 's2']
    expect(partitionOf('target', 16)).not.toBe(partitionOf(source, 16))
    leader.publish('update', source, '1-0')
    leader.publish('merge', 'target', '2-0', { context: { sources: [entityOf(source), entityOf(other)] } })
    leader.publish('update', source, '3-0')
    leader.publish('update', 'somebody', '4-0')
    await until('the target', () => worker.received.length === 2)
    expect(worker.received.map(({ message, part }) => [message.id, part]).toSorted()).toEqual([
      ['1-0', undefined],
      ['2-0', 'target'],
    ])
    for (const { end } of worker.received) end()
    await worker.commit()
    await until('the rest', () => worker.received.length === 6)
    const partsOf = (id: string) =>
      worker.received.filter(({ message }) => message.id === id).map(({ part }) => part)
    expect(partsOf('2-0')).toHaveLength(3)
    expect(new Set(partsOf('2-0'))).toEqual(new Set(['target', source, other]))
    expect(leader.finished).toEqual(['1-0'])
    const keyOf = ({ message, part }: Received) =>
      part ?? (JSON.parse(message.data) as { data: { id: string } }).data.id
    const ofSource = worker.received.filter((received) => keyOf(received) === source)
    expect(ofSource.map(({ message }) => message.id)).toEqual(['1-0', '2-0', '3-0'])
    for (const { end } of worker.received.slice(2)) end()
    await worker.commit()
    await until('all to be settled', () => leader.finished.length === 4)
  })
})

function entityOf(id: string) {
  return { id, type: 'indicator', name: id }
}

/** The part of a copy that publishes. */
class Leader {
  readonly finished: string[] = []
  readonly publisher: Publisher
  readonly #abort = new AbortController()
  readonly #connection: RedisConnection

  private constructor(
    copies: Copies,
    membership: Membership,
    connection: RedisConnection,
    tail: StreamTail,
    bounds = { maxEvents: 10_000, maxBytes: 1e8 },
  ) {
    this.#connection = connection
    this.publisher = new Publisher({
      connection,
      tail,
      keys: copies.keys,
      membership,
      partitions: copies.partitions,
      bounds,
      listenDelete: true,
      newest: () => undefined,
      clock: systemClock,
      logger: silentLogger,
      signal: this.#abort.signal,
    })
  }

  static async start(
    copies: Copies,
    membership: Membership,
    bounds?: { maxEvents: number; maxBytes: number },
  ) {
    const tail = new StreamTail(await copies.connection())
    const leader = new Leader(copies, membership, await copies.connection(), tail, bounds)
    await leader.publisher.open()
    void leader.publisher.run(leader.#abort.signal)
    onTestFinished(() => leader.kill())
    return leader
  }

  get isConnected(): boolean {
    return this.#connection.isConnected
  }

  publish(name: EventName, key: string, id: string, more: object = {}): void {
    const data = JSON.stringify({ type: name, data: entityOf(key), ...more })
    const event = decodeEvent(name, data, parsePosition(id), data.length) as StreamEvent
    this.publisher.take(event, { event: name, id, data, bytes: data.length }, false, () =>
      this.finished.push(id),
    )
  }

  kill(): void {
    this.#abort.abort(new Error('the test has ended'))
  }
}
