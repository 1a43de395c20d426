import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import {
  MemoryStore,
  PermanentError,
  systemClock,
  type Entity,
  type KeyedItem,
} from 'opencti-stream-connector'
import { redisKeysOf } from '../../src/redis/redis-keys.ts'
import { ask } from '../fixtures/ask.ts'
import { type HookCall, Recorder, type RecorderOptions } from '../fixtures/recorder.ts'
import { hasRedis, RedisServer } from '../fixtures/redis-server.ts'
import { makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

type Class = new (options: RecorderOptions) => Recorder

/** A copy of a connector, not started. */
function copyOf(
  simulator: Simulator,
  redis: RedisServer,
  { env, ...options }: RecorderOptions & { env?: Record<string, string> } = {},
  Copy: Class = Recorder,
): Recorder {
  const cluster = { CONNECTOR_CLUSTER_URL: redis.url, CONNECTOR_LEASE_MS: '1000', ...env }
  return makeRecorder(simulator, { clock: systemClock, store: undefined, env: cluster, ...options }, Copy)
}

async function startCopies(
  count: number,
  simulator: Simulator,
  redis: RedisServer,
  Copy?: Class,
): Promise<Recorder[]> {
  const copies = Array.from({ length: count }, () => copyOf(simulator, redis, {}, Copy))
  await Promise.all(copies.map((copy) => copy.start()))
  await until(
    'each to have its share',
    () => copies.every((copy) => partitionsOf(copy) === Math.ceil(16 / count)),
    30_000,
  )
  return copies
}

const clusterOf = (copy: Recorder) => copy.status().cluster
const partitionsOf = (copy: Recorder) => clusterOf(copy)?.copies.find(({ isOwn }) => isOwn)?.partitions.length

const create = (simulator: Simulator, count: number) =>
  Array.from({ length: count }, (_, seed) => simulator.create(buildIndicator('ipv4', { seed })))

/** Whether each entity reached exactly one of the copies, once. */
const isSharedOut = (copies: readonly Recorder[], ids: readonly string[]) =>
  ids.every((id) => copies.reduce((sum, copy) => sum + copy.callsOf(id).length, 0) === 1)

describe.skipIf(!hasRedis)('the copies of a connector', () => {
  test('share its work, and each shows all of them on its page', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const env = { CONNECTOR_HEALTH_PORT: '0' }
    const copies = [copyOf(simulator, redis, { env }), copyOf(simulator, redis, { env })]
    for (const copy of copies) await copy.start()
    await until('each to have its share', () => copies.every((copy) => partitionsOf(copy) === 8), 30_000)
    const ids = create(simulator, 60).map(({ id }) => id)
    await until('all of it', () => isSharedOut(copies, ids))
    expect(copies.every(({ calls }) => calls.length > 10)).toBe(true)
    expect(copies.filter((copy) => clusterOf(copy)!.isLeader)).toHaveLength(1)
    // One connection to the stream, and one registration, for both.
    expect(simulator.connections).toHaveLength(1)
    for (const copy of copies) {
      await until(
        'its report',
        () => clusterOf(copy)!.copies.reduce((sum, { delivered }) => sum + delivered, 0) >= 60,
      )
      const ready = await ask(`${copy.status().endpoints.health}/readyz`)
      expect(ready.status, ready.body).toBe(200)
      const { received, delivered, skipped, deadLettered, inFlight } = copy.status()
      expect(delivered + skipped + deadLettered + inFlight).toBe(received)
    }
  })

  test('divide a catch-up among them, each entity once', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    simulator.load(Array.from({ length: 200 }, (_, seed) => buildIndicator('ipv4', { seed })))
    const copies = await startCopies(2, simulator, redis)
    const ids = simulator
      .entities()
      .filter(({ type }) => type === 'indicator')
      .map(({ id }) => id)
    await until('the catch-up', () => isSharedOut(copies, ids), 30_000)
  })

  test('move an entity to another copy when there is one more, without losing or repeating an event', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const calls: HookCall[] = []
    const onCall = async (call: HookCall) => {
      await sleep(2)
      calls.push(call)
    }
    const first = copyOf(simulator, redis, { onCall })
    await first.start()
    await until('the end of its catch-up', () => !first.status().catchingUp)
    const entities = create(simulator, 40)
    const second = copyOf(simulator, redis, { onCall })
    const starting = second.start()
    let version = 0
    while (partitionsOf(second) !== 8) {
      simulator.update(entities[version % 40]!.id, { name: `version ${version}` })
      version++
      await sleep(2)
    }
    await starting
    for (let more = 0; more < 200; more++, version++)
      simulator.update(entities[version % 40]!.id, { name: `version ${version}` })
    await until('everything', () => calls.filter(({ hook }) => hook === 'update').length >= version, 30_000)
    for (const { id } of entities) {
      const positions = calls.filter((call) => call.entityId === id).map(({ position }) => position)
      const expected = simulator.history.filter(({ data }) => data.id === id).map((event) => event.id)
      expect(positions).toEqual(expected)
    }
    await second.stop()
    await until('the first to have all again', () => partitionsOf(first) === 16, 30_000)
  }, 60_000)

  test('call no hook for an entity before what its last event led to is saved', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const { entities } = redisKeysOf(simulator.connectorId)
    const [copy] = await startCopies(1, simulator, redis)
    const saved: string[] = []
    let last = ''
    copy!.update = async (_, context) => {
      if (last !== '')
        saved.push(`${String(await redis.command('HGET', entities, context.internalId!))} ${last}`)
      last = context.position!
      return undefined
    }
    const [entity] = create(simulator, 1)
    for (let change = 0; change < 30; change++) simulator.update(entity!.id, { name: `version ${change}` })
    await until('all of them', () => saved.length === 29)
    for (const line of saved) {
      const [row, position] = line.split(' ')
      expect(row).toContain(position)
    }
  })

  test('start over together at a reset', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const copies = await startCopies(2, simulator, redis)
    const ids = create(simulator, 20).map(({ id }) => id)
    await until('all of it', () => isSharedOut(copies, ids))
    simulator.resetState()
    const hasTwice = () =>
      ids.every((id) => copies.reduce((sum, copy) => sum + copy.callsOf(id).length, 0) === 2)
    await until('all of it again', hasTwice, 60_000)
  }, 90_000)

  test('retry a dead letter in the copy that owns its entity, whoever was asked', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    let isRefusing = true
    class Refusing extends Recorder {
      override transform(entity: Entity): Entity {
        if (isRefusing && (entity as { name?: string }).name === 'bad') throw new PermanentError('no')
        return entity
      }
    }
    const copies = await startCopies(2, simulator, redis, Refusing)
    const entities = Array.from({ length: 6 }, (_, seed) =>
      simulator.create(buildIndicator('ipv4', { seed, name: 'bad' })),
    )
    for (let seed = 100; seed < 130; seed++) simulator.create(buildIndicator('ipv4', { seed }))
    await until('the letters', () => copies.reduce((sum, copy) => sum + copy.status().deadLettered, 0) === 6)
    isRefusing = false
    const tool = await openTool(redis, simulator)
    await until('the letters to be stored', async () => (await tool.countDeadLetters()) === 6)
    await tool.requestReplay({ force: false })
    await until('no letter to be left', async () => (await tool.countDeadLetters()) === 0, 20_000)
    expect(
      isSharedOut(
        copies,
        entities.map(({ id }) => id),
      ),
    ).toBe(true)
  })

  test('withdraw each expired entity once', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const env = { CONNECTOR_ON_EXPIRY_TIMER: 'true', CONNECTOR_ON_EXPIRED: 'delete' }
    const copies = [copyOf(simulator, redis, { env }), copyOf(simulator, redis, { env })]
    await Promise.all(copies.map((copy) => copy.start()))
    await until('each to have its share', () => copies.every((copy) => partitionsOf(copy) === 8), 30_000)
    const validUntil = new Date(Date.now() + 2500).toISOString()
    const entities = Array.from({ length: 30 }, (_, seed) =>
      simulator.create(buildIndicator('ipv4', { seed, valid_until: validUntil })),
    )
    const callsOf = (id: string) => copies.flatMap((copy) => copy.callsOf(id))
    await until('all to be withdrawn', () => entities.every(({ id }) => callsOf(id).length >= 2), 20_000)
    for (const { id } of entities) expect(callsOf(id)).toEqual(['create', 'delete:expired'])
  })

  test('keep their part of the rate limit, together no more than all of it', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const env = { CONNECTOR_RATE_LIMIT_PER_SECOND: '20', CONNECTOR_RATE_LIMIT_BURST: '1' }
    const copies = [copyOf(simulator, redis, { env }), copyOf(simulator, redis, { env })]
    await Promise.all(copies.map((copy) => copy.start()))
    await until('each to have its share', () => copies.every((copy) => partitionsOf(copy) === 8), 30_000)
    const beganMs = performance.now()
    const ids = create(simulator, 60).map(({ id }) => id)
    await until('all of it', () => isSharedOut(copies, ids), 60_000)
    // A busy machine makes it slower, never faster.
    expect(performance.now() - beganMs).toBeGreaterThan((60 / 20) * 1000 * 0.85)
  })
})

describe.skipIf(!hasRedis)('a connector that cannot be divided', () => {
  const { defaults } = Recorder

  test.each([
    [
      'a link hook',
      class extends Recorder {
        override link = () => undefined
      },
    ],
    [
      'whole lists',
      class extends Recorder {
        override replaceAll = async () => {}
      },
    ],
    [
      'positions itself',
      class extends Recorder {
        override loadPosition = () => undefined
      },
    ],
    [
      'CONNECTOR_ORDERING=strict',
      class extends Recorder {
        static override readonly defaults = { ...defaults, ordering: 'strict' as const }
      },
    ],
    [
      'comparisons of target and platform',
      class extends Recorder {
        static override readonly defaults = { ...defaults, reconcile: { atStart: true } }
      },
    ],
  ] as const)('because of %s is refused with what to use instead', async (reason, Copy) => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const copy = copyOf(simulator, redis, {}, Copy as unknown as Class)
    const failure = await copy.start().catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'SETTINGS_INVALID' })
    expect(String(failure)).toContain(reason)
    expect(String(failure)).toContain('Unset')
    expect(simulator.connector()).toBeUndefined()
  })

  test('because it has items stops at the first one, and has told the target nothing', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    class Items extends Recorder {
      override transform(entity: Entity): Entity {
        const items: KeyedItem[] = [{ key: entity.id }]
        return items as unknown as Entity
      }
    }
    const copy = copyOf(simulator, redis, {}, Items)
    await copy.start()
    create(simulator, 1)
    await expect(copy.finished).rejects.toMatchObject({
      code: 'STOP',
      message: expect.stringContaining('CONNECTOR_STATE_URL') as string,
    })
    expect(copy.calls).toEqual([])
  })

  test('refuses comparisons, and messages that are handed in', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const copy = copyOf(simulator, redis)
    const message = { event: 'create', data: buildIndicator('ipv4', { seed: 1 }) }
    await expect(copy.processMessage(message)).rejects.toMatchObject({ code: 'LIFECYCLE' })
    await copy.start()
    await expect(copy.processMessages([message])).rejects.toMatchObject({ code: 'LIFECYCLE' })
    await expect(copy.reconcile()).rejects.toMatchObject({
      code: 'RECONCILE_FAILED',
      message: expect.stringContaining('CONNECTOR_STATE_URL') as string,
    })
  })

  test('works alone with a store of its own, as in the commands that only try it', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    const copy = copyOf(simulator, redis, { store: new MemoryStore() })
    const message = { event: 'create', data: buildIndicator('ipv4', { seed: 1 }) }
    expect(await copy.processMessage(message)).toEqual({ kind: 'delivered' })
    expect(await redis.command('DBSIZE')).toBe(0)
  })

  test('because Redis rejects its password ends, and says so', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest({ password: 'sesame' })]
    const copy = copyOf(simulator, redis, {
      env: { CONNECTOR_CLUSTER_URL: `redis://:wrong@127.0.0.1:${redis.port}` },
    })
    await expect(copy.start()).rejects.toMatchObject({
      message: expect.stringContaining('rejects the user or password in CONNECTOR_CLUSTER_URL') as string,
    })
  })

  test('because its state is elsewhere is refused', async () => {
    const [simulator, redis] = [await startSimulator(), await RedisServer.forTest()]
    expect(() => copyOf(simulator, redis, { env: { CONNECTOR_STATE_URL: 'redis://127.0.0.1:1/' } })).toThrow(
      'names another place than CONNECTOR_CLUSTER_URL',
    )
  })
})

async function openTool(redis: RedisServer, simulator: Simulator) {
  const { RedisStore } = await import('../../src/redis/redis-store.ts')
  const tool = new RedisStore({ url: redis.url, access: 'shared' })
  await tool.open(simulator.connectorId)
  onTestFinished(() => tool.close())
  return tool
}
