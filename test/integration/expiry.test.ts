import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  PermanentError,
  silentLogger,
  StreamConnector,
  systemClock,
  type Clock,
  type Entity,
  type FlushOperation,
} from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { type Recorder } from '../fixtures/recorder.ts'
import { caughtUp, makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { expectBalance } from '../fixtures/expect-balance.ts'

const env = { CONNECTOR_ON_EXPIRED: 'delete', CONNECTOR_ON_EXPIRY_TIMER: 'true' }
const hourMs = 3_600_000

/** A clock whose wall time can be moved on. */
function movable(): Clock & { aheadMs: number } {
  const fast = fastClock()
  const clock = { ...fast, aheadMs: 0, now: () => systemClock.now() + clock.aheadMs }
  return clock
}

const indicator = (seed: number, inMs: number) => ({
  ...buildIndicator('domain', { seed }),
  valid_from: new Date(systemClock.now() - hourMs).toISOString(),
  valid_until: new Date(systemClock.now() + inMs).toISOString(),
})

/** A connector whose target takes batches, and remembers what had to go. */
class BulkRecorder extends StreamConnector {
  readonly gone: string[] = []
  readonly batches: number[] = []

  transform(entity: Entity): Entity {
    return entity
  }

  override async flush(operations: readonly FlushOperation<Entity>[]): Promise<void> {
    this.batches.push(operations.length)
    for (const { kind, context } of operations)
      if (kind === 'delete') this.gone.push(`${context.entityId} ${context.reason ?? ''}`)
  }
}

async function start(simulator: Simulator, store: MemoryStore, clock: Clock): Promise<Recorder> {
  const recorder = makeRecorder(simulator, { store, clock, env })
  await recorder.start()
  await caughtUp(recorder)
  return recorder
}

test('withdraws an indicator when its time comes, across a restart, unless it was extended or is already gone', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const clock = movable()
  const first = await start(simulator, store, clock)
  const [going, prolonged, deleted, later] = [1, 2, 3, 4].map(
    (seed) => simulator.create(indicator(seed, seed === 4 ? 9 * hourMs : hourMs)).id,
  ) as [string, string, string, string]
  await until('all', () => [going, prolonged, deleted, later].every((id) => first.callsOf(id).length === 1))
  simulator.update(prolonged, { valid_until: new Date(systemClock.now() + 5 * hourMs).toISOString() })
  simulator.delete(deleted)
  await until('both', () => first.callsOf(prolonged).length === 2 && first.callsOf(deleted).length === 2)
  await first.stop()
  clock.aheadMs = 2 * hourMs
  const second = await start(simulator, store, clock)
  await until('its withdrawal', () => second.callsOf(going).length === 1)
  const call = second.calls.find(({ entityId }) => entityId === going)!
  expect(call).toMatchObject({ hook: 'delete', reason: 'expired', entity: { id: going, type: 'indicator' } })
  expect(call.internalId).toBeDefined()
  clock.aheadMs = 6 * hourMs
  await until('the prolonged one', () => second.callsOf(prolonged).includes('delete:expired'))
  expect(second.callsOf(deleted)).toEqual([])
  expect(second.callsOf(later)).toEqual([])
  expectBalance(second)
  expect(second.status().delivered).toBeGreaterThanOrEqual(2)
  // Should it hold again, it is created anew.
  simulator.update(going, { valid_until: new Date(systemClock.now() + 50 * hourMs).toISOString() })
  await until('it is back', () => second.callsOf(going).includes('create'))
})

test('an update that extends it, and comes first in its lane, wins', async () => {
  const simulator = await startSimulator()
  const clock = movable()
  const recorder = await start(simulator, new MemoryStore(), clock)
  const { id } = simulator.create(indicator(1, hourMs))
  await until('the create', () => recorder.callsOf(id).length === 1)
  const gate = Promise.withResolvers<void>()
  recorder.onCall = () => gate.promise
  simulator.update(id, { valid_until: new Date(systemClock.now() + 9 * hourMs).toISOString() })
  await until('the update is at work', () => recorder.status().inFlight === 1)
  clock.aheadMs = 2 * hourMs
  await until('the withdrawal waits', () => recorder.status().inFlight === 2)
  gate.resolve()
  await until('the end', () => recorder.status().inFlight === 0)
  expect(recorder.callsOf(id)).toEqual(['create', 'update'])
  expect(recorder.status().skippedByReason['overtaken']).toBe(1)
  expectBalance(recorder)
})

test('a withdrawal that the target refuses becomes a dead letter, and keeps its reason in the replay', async () => {
  const simulator = await startSimulator()
  const clock = movable()
  const store = new MemoryStore()
  const recorder = await start(simulator, store, clock)
  const { id } = simulator.create(indicator(1, hourMs))
  await until('the create', () => recorder.callsOf(id).length === 1)
  recorder.onCall = () => {
    throw new PermanentError('locked')
  }
  clock.aheadMs = 2 * hourMs
  await until('the dead letter', async () => (await store.countDeadLetters()) === 1)
  recorder.onCall = undefined
  await store.requestReplay({ force: false })
  await until('its replay', () => recorder.callsOf(id).includes('delete:expired'))
  await until('the end', async () => (await store.countDeadLetters()) === 0)
  expectBalance(recorder)
})

test('with bulk hooks, expiries of the same moment go in batches, each once, through a small queue', async () => {
  const simulator = await startSimulator()
  const clock = movable()
  const store = new MemoryStore()
  const recorder = new BulkRecorder({
    env: {
      ...simulator.environment(),
      ...env,
      CONNECTOR_QUEUE_MAX_EVENTS: '50',
      CONNECTOR_BATCH_MAX_ITEMS: '20',
    },
    directory: tmpdir(),
    store,
    clock,
    logger: silentLogger,
  })
  onTestFinished(() => recorder.stop())
  const { gone, batches } = recorder
  await recorder.start()
  const count = 400
  const ids = Array.from({ length: count }, (_, seed) => simulator.create(indicator(seed + 1, hourMs)).id)
  await until(
    'all',
    async () => (await store.expiring({ atMs: Infinity, limit: 1000 })).length === count,
    20_000,
  )
  clock.aheadMs = 2 * hourMs
  let most = 0
  await until('all gone', () => {
    most = Math.max(most, recorder.status().inFlight)
    return gone.length >= count
  })
  await until('the end', () => recorder.status().inFlight === 0)
  expect(gone.toSorted()).toEqual(ids.map((id) => `${id} expired`).toSorted())
  expect(most).toBeLessThanOrEqual(50)
  expect(Math.max(...batches)).toBeLessThanOrEqual(20)
  expectBalance(recorder)
})

test('is off by default, and requires on.expired to be delete', async () => {
  const simulator = await startSimulator()
  const clock = movable()
  const store = new MemoryStore()
  const recorder = makeRecorder(simulator, { store, clock, env: { CONNECTOR_ON_EXPIRED: 'delete' } })
  await recorder.start()
  await caughtUp(recorder)
  const { id } = simulator.create(indicator(1, hourMs))
  await until('the create', () => recorder.callsOf(id).length === 1)
  await until('its row', async () => (await store.countEntities()) > 0)
  expect(await store.expiring({ atMs: Infinity, limit: 9 })).toEqual([])
  expect(() => makeRecorder(simulator, { env: { CONNECTOR_ON_EXPIRY_TIMER: 'true' } })).toThrow(
    /CONNECTOR_ON_EXPIRY_TIMER.*requires CONNECTOR_ON_EXPIRED=delete/,
  )
})
