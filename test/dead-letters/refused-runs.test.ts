import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  StreamConnector,
  type ConnectorDefaults,
  type ConnectorNotice,
  type Entity,
  type EventContext,
  type FlushOperation,
  type StateStore,
} from 'opencti-stream-connector'
import { silentLogger } from '../../src/util/logger.ts'
import { fastClock } from '../fixtures/fast-clock.ts'
import { until } from '../fixtures/until.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { indicator, lettersOf, live } from '../fixtures/channels.ts'

/** What is at the other end: what it was told of each entity, in order, and what it refuses. */
class Target {
  readonly told = new Map<string, string[]>()
  isRefused: (key: string, route: string) => boolean = () => false

  take(what: string, context: EventContext): void {
    const key = context.internalId!
    if (this.isRefused(key, context.route ?? ''))
      throw Object.assign(new Error('status 422'), { status: 422 })
    const line = `${context.route ?? ''}/${key}`
    this.told.set(line, [...(this.told.get(line) ?? []), what])
  }
}

interface Options {
  readonly target: Target
  readonly store?: StateStore
  readonly defaults?: ConnectorDefaults
  readonly where?: 'hooks' | 'transform' | 'flush'
}

/** A connector that tells its target the version of each entity. */
function connectorOf({ target, store = new MemoryStore(), defaults, where = 'hooks' }: Options) {
  const versionOf = (entity: Entity) => String((entity as { name?: unknown }).name)
  class Hooks extends StreamConnector {
    static override readonly defaults = { name: 'Refused', ...defaults }
    transform(entity: Entity, context: EventContext) {
      if (where === 'transform' && target.isRefused(context.internalId!, context.route ?? ''))
        throw new TypeError('entity.mapping is undefined')
      return entity
    }
  }
  class Single extends Hooks {
    override async create(entity: Entity, context: EventContext) {
      target.take(versionOf(entity), context)
    }
    override async update(entity: Entity, context: EventContext) {
      target.take(versionOf(entity), context)
    }
    override async delete(context: EventContext) {
      target.take('gone', context)
    }
  }
  class Bulk extends Hooks {
    override async flush(operations: readonly FlushOperation<Entity>[]) {
      for (const { context } of operations) {
        if (target.isRefused(context.internalId!, context.route ?? '')) {
          throw Object.assign(new Error('status 422'), { status: 422 })
        }
      }
      for (const { kind, item, context } of operations)
        target.take(kind === 'delete' ? 'gone' : versionOf(item!), context)
    }
  }
  const notices: ConnectorNotice[] = []
  const connector = new (where === 'flush' ? Bulk : Single)({
    env: minimalEnvironment,
    directory: tmpdir(),
    clock: fastClock(),
    random: () => 0.5,
    store,
    logger: silentLogger,
    onNotice: (notice) => notices.push(notice),
  })
  onTestFinished(() => connector.stop())
  let at = 1000
  const tell = (event: string, key: string, version: string) =>
    connector.processMessage(live(event, indicator(key, 'TLP:CLEAR', { name: version }), `${(at += 10)}-0`))
  const kinds = () => notices.map(({ kind }) => kind)
  return { connector, store, tell, kinds }
}

const everything = () => true

/** Finds dead letters only when it may. */
class SlowToFind extends MemoryStore {
  readonly isAsked = Promise.withResolvers<void>()
  readonly mayAnswer = Promise.withResolvers<void>()

  override async deadLetters(page: Parameters<StateStore['deadLetters']>[0]) {
    if (page.withoutData === true) {
      this.isAsked.resolve()
      await this.mayAnswer.promise
    }
    return super.deadLetters(page)
  }
}

/** What a connector that has stopped has left. */
async function lettersAfterStop(store: StateStore) {
  await store.open(minimalEnvironment.CONNECTOR_ID)
  const letters = await lettersOf(store)
  await store.close()
  return letters
}

describe.each(['hooks', 'transform', 'flush'] as const)('when everything is refused (%s)', (where) => {
  test('it pauses, and delivers everything by itself, each entity in order, when the target accepts events', async () => {
    const target = new Target()
    target.isRefused = everything
    const { connector, store, tell, kinds } = connectorOf({ target, where })
    const told: Promise<unknown>[] = []
    for (let version = 1; version <= 3; version++) {
      for (let index = 0; index < 30; index++) told.push(tell('update', `k${index}`, `v${version}`))
    }
    await until('the pause', () => kinds().includes('refusing'))
    await until('the letters', async () => (await lettersOf(store)).length > 0)
    const kept = await lettersOf(store)
    expect(kept.length).toBeLessThan(20)
    expect(connector.status()).toMatchObject({ delivered: 0, outage: undefined })
    expect(connector.status().refusal).toMatch(/422|mapping/)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await lettersOf(store)).toHaveLength(kept.length)
    target.isRefused = () => false
    await until('all of them', () => connector.status().inFlight === 0, 30_000)
    await until('the end of the letters', async () => (await lettersOf(store)).length === 0)
    for (let index = 0; index < 30; index++) {
      expect(target.told.get(`/k${index}`)).toEqual(['v1', 'v2', 'v3'])
    }
    expect(kinds().at(-1)).toBe('resumed')
    await Promise.all(told)
  })

  test('it delivers nothing before the first of them are back ahead of later events, however slow the store is', async () => {
    const target = new Target()
    target.isRefused = everything
    const store = new SlowToFind()
    const { connector, tell, kinds } = connectorOf({ target, where, store })
    const told: Promise<unknown>[] = []
    for (let version = 1; version <= 3; version++) {
      for (let index = 0; index < 30; index++) told.push(tell('update', `k${index}`, `v${version}`))
    }
    await until('the pause', () => kinds().includes('refusing'))
    target.isRefused = () => false
    await store.isAsked.promise
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(target.told.size).toBe(0)
    store.mayAnswer.resolve()
    await until('all of them', () => connector.status().inFlight === 0, 30_000)
    for (let index = 0; index < 30; index++) {
      expect(target.told.get(`/k${index}`)).toEqual(['v1', 'v2', 'v3'])
    }
    await Promise.all(told)
  })

  test('the next process knows that too, and begins with what was set aside', async () => {
    const target = new Target()
    target.isRefused = everything
    const store = new MemoryStore()
    const first = connectorOf({ target, where, store })
    for (let index = 0; index < 60; index++) void first.tell('create', `k${index}`, 'v1').catch(() => {})
    await until('the pause', () => first.kinds().includes('refusing'))
    await until('the letters', async () => (await lettersOf(store)).length > 0)
    await first.connector.stop()
    const kept = await lettersAfterStop(store)
    expect(kept.length).toBeGreaterThan(0)

    // Still refused: it does not fill the dead letters once more.
    const second = connectorOf({ target, where, store })
    for (let index = 100; index < 160; index++) void second.tell('create', `k${index}`, 'v1').catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(second.connector.status().refusal).toBeDefined()
    await second.connector.stop()
    expect(await lettersAfterStop(store)).toHaveLength(kept.length)

    target.isRefused = () => false
    const third = connectorOf({ target, where, store })
    await third.tell('create', 'k200', 'v1')
    await until('the end of the letters', () => third.connector.status().inFlight === 0)
    await third.connector.stop()
    expect(await lettersAfterStop(store)).toEqual([])
    for (const { entityId } of kept) {
      expect(target.told.get(`/${entityId!.replace('indicator--', '')}`)).toEqual(['v1'])
    }
  })
})

test('what is refused among accepted events stays a dead letter, and pauses nothing', async () => {
  const target = new Target()
  target.isRefused = (key) => Number(key.slice(1)) % 3 === 0
  const { store, tell, kinds } = connectorOf({ target })
  const told: Promise<unknown>[] = []
  for (let index = 0; index < 90; index++) told.push(tell('create', `k${index}`, 'v1'))
  await Promise.all(told)
  await until('the letters', async () => (await lettersOf(store)).length === 30)
  expect(kinds()).not.toContain('refusing')
})

test.each(['strict', 'reference'] as const)(
  'with the order %s, a good event gets its turn after refused ones',
  async (ordering) => {
    const target = new Target()
    target.isRefused = (key) => key !== 'good'
    const { store, tell } = connectorOf({ target, defaults: { ordering } })
    const told: Promise<unknown>[] = []
    for (let index = 0; index < 25; index++) told.push(tell('create', `k${index}`, 'v1'))
    expect(await tell('create', 'good', 'v1')).toEqual({ kind: 'delivered' })
    await Promise.all(told)
    await until('the letters', async () => (await lettersOf(store)).length === 25)
  },
)

test('a route that refuses everything delays no other, and delivers everything by itself later', async () => {
  const target = new Target()
  target.isRefused = (_, route) => route === 'secure'
  const { connector, store, tell } = connectorOf({ target, defaults: { routes: { secure: {}, normal: {} } } })
  const told: Promise<unknown>[] = []
  for (let index = 0; index < 60; index++) told.push(tell('create', `k${index}`, 'v1'))
  await until('the pause', () => connector.status().routes['secure']!.refusal !== undefined)
  await until('the other route', () => connector.status().routes['normal']!.delivered === 60)
  expect(connector.status().routes['normal']!.refusal).toBeUndefined()
  const { notReady } = connector.status()
  expect(notReady.map(({ reason }) => reason).join()).toMatch(/route secure/)
  target.isRefused = () => false
  await until('all of them', () => connector.status().routes['secure']!.delivered === 60, 30_000)
  await Promise.all(told)
  await until('the end of the letters', async () => (await lettersOf(store)).length === 0)
})
