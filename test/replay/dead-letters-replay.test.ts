import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import {
  DeadLetters,
  MemoryStore,
  PermanentError,
  RetryableError,
  SkipEvent,
  SqliteStore,
  StateError,
  StreamConnector,
  type ConnectorOptions,
  type DeadLetter,
  type Entity,
  type FlushOperation,
  type StateChanges,
  type StateStore,
} from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { type HookCall, type Recorder } from '../fixtures/recorder.ts'
import { caughtUp, makeRecorder, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { expectBalance } from '../fixtures/expect-balance.ts'

const indicator = (seed: number) => buildIndicator('domain', { seed })

interface Stage {
  readonly simulator: Simulator
  readonly store: StateStore
  readonly recorder: Recorder
  readonly deadLetters: DeadLetters
  /** Ids that the target refuses, with the error that it does so with. */
  readonly refused: Map<string, Error>
}

/** A running connector that has caught up, before a target that refuses what it is told to. */
async function stage(env: Record<string, string> = {}): Promise<Stage> {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const refused = new Map<string, Error>()
  const recorder = await startRecorder(simulator, { store, env, onCall: (call) => refuse(refused, call) })
  await caughtUp(recorder)
  return { simulator, store, recorder, deadLetters: new DeadLetters(store), refused }
}

function refuse(refused: Map<string, Error>, call: HookCall): void {
  const error = refused.get(call.entityId)
  if (error !== undefined) throw error
}

async function letterCount(store: StateStore, count: number): Promise<void> {
  await until(`${count} dead letters`, async () => (await store.countDeadLetters()) === count)
}

async function answered(store: StateStore, id: number): Promise<DeadLetter> {
  return until(`the answer to the request for dead letter ${id}`, async () => {
    const letter = await store.deadLetter(id)
    return letter?.replay === undefined ? letter : undefined
  })
}

/** Apart from the markings, which every platform starts with. */
function indicatorCalls(recorder: Recorder): readonly HookCall[] {
  return recorder.calls.filter(({ entity }) => entity.type === 'indicator')
}

test('makes one dead letter of a poison event between good ones, and delivers it after the target is repaired', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const poison = indicator(2)
  refused.set(poison.id, new PermanentError('unknown field'))
  for (const item of [indicator(1), poison, indicator(3)]) simulator.create(item)
  await letterCount(store, 1)
  await until('the good ones', () => indicatorCalls(recorder).length === 2)
  expect(await deadLetters.get(1)).toMatchObject({ entityId: poison.id, attempts: 1, error: /unknown field/ })

  refused.clear()
  expect(await deadLetters.requestReplay('all')).toEqual({ requested: 1, unreadable: 0, missing: [] })
  await letterCount(store, 0)
  expect(recorder.callsOf(poison.id)).toEqual(['create'])
  const record = await store.entity(recorder.calls.at(-1)!.internalId!)
  expect(record?.position).toBe(recorder.calls.at(-1)!.position)
  expect(recorder.status()).toMatchObject({ deadLettered: 1, inFlight: 0 })
  expectBalance(recorder)
})

test('keeps one that fails again, with the new error and more tries, and does not retry it by itself', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const poison = indicator(2)
  refused.set(poison.id, new PermanentError('first reason'))
  simulator.create(poison)
  await letterCount(store, 1)
  const before = (await deadLetters.get(1))!
  refused.set(poison.id, new PermanentError('second reason'))
  await deadLetters.requestReplay([1])
  const after = await answered(store, 1)
  expect(after).toMatchObject({
    attempts: before.attempts + 1,
    firstAtMs: before.firstAtMs,
    data: before.data,
  })
  expect(after.error).toContain('second reason')
  expect(after.lastAtMs).toBeGreaterThanOrEqual(before.lastAtMs)
  const { received } = recorder.status()
  // Long enough for several looks.
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(recorder.status().received).toBe(received)
  expect(await store.countDeadLetters()).toBe(1)
  expectBalance(recorder)

  refused.clear()
  await deadLetters.requestReplay([1])
  await letterCount(store, 0)
})

test('calls one stale that is older than what the target has, and delivers it by force', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const { id } = simulator.create(indicator(2))
  await until('the create', () => recorder.callsOf(id).length === 1)
  refused.set(id, new PermanentError('too old a name'))
  simulator.update(id, { name: 'older' })
  await letterCount(store, 1)
  refused.clear()
  simulator.update(id, { name: 'newer' })
  await until('the update', () => recorder.callsOf(id).length === 2)

  await deadLetters.requestReplay([1])
  const stale = await answered(store, 1)
  expect(stale.error).toMatch(/^Stale: .*--force.*\n.*too old a name/)
  expect(stale.attempts).toBe(1)
  await deadLetters.requestReplay([1])
  // The text does not grow with each request.
  expect((await answered(store, 1)).error).toBe(stale.error)
  expect(recorder.callsOf(id)).toEqual(['create', 'update'])
  expect(recorder.status().skippedByReason).toMatchObject({ stale: 2 })

  const newest = (await store.entity(indicatorCalls(recorder)[0]!.internalId!))!.position
  await deadLetters.requestReplay([1], { force: true })
  await letterCount(store, 0)
  expect(recorder.calls.at(-1)!.entity).toMatchObject({ name: 'older' })
  // What lies between the two is still stale.
  expect((await store.entity(indicatorCalls(recorder)[0]!.internalId!))!.position).toBe(newest)
  expectBalance(recorder)
})

test('brings back no entity that was deleted since', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const [never, once] = [indicator(2), indicator(3)]
  simulator.create(once)
  await until('the create', () => recorder.callsOf(once.id).length === 1)
  for (const { id } of [never, once]) refused.set(id, new PermanentError('refused'))
  simulator.create(never)
  simulator.update(once.id, { name: 'changed' })
  await letterCount(store, 2)
  refused.clear()
  simulator.delete(never.id)
  simulator.delete(once.id)
  await until('the delete', () => recorder.callsOf(once.id).length === 2)

  await deadLetters.requestReplay('all')
  for (const id of [1, 2]) expect((await answered(store, id)).error).toMatch(/^Stale: /)
  expect(recorder.callsOf(never.id)).toEqual([])
  expect(recorder.callsOf(once.id)).toEqual(['create', 'delete:deleted'])
  const page = await store.deadLetters({ limit: 2 })
  const ofNever = page.find(({ entityId }) => entityId === never.id)!
  await deadLetters.requestReplay([ofNever.id], { force: true })
  await letterCount(store, 1)
  expect(recorder.callsOf(never.id)).toEqual(['create'])
})

test('puts no older state over an event that its author skipped since', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const { id } = indicator(2)
  refused.set(id, new PermanentError('refused'))
  simulator.create(indicator(2))
  await letterCount(store, 1)
  refused.set(id, new SkipEvent('not for us any more'))
  simulator.update(id, { name: 'changed' })
  await until('the skip', () => recorder.status().skippedByReason['not for us any more'] === 1)
  refused.clear()

  await deadLetters.requestReplay('all')
  expect((await answered(store, 1)).error).toMatch(/^Stale: /)
  expect(recorder.callsOf(id)).toEqual([])
  await deadLetters.requestReplay('all', { force: true })
  await letterCount(store, 0)
  expect(recorder.callsOf(id)).toEqual(['create'])
  expectBalance(recorder)
})

test('brings back no entity whose delete had no hook', async () => {
  class Adder extends StreamConnector {
    static override readonly defaults = { name: 'Adder' }
    readonly added: string[] = []
    isRefusing = false

    transform(entity: Entity): Entity {
      return entity
    }

    override create({ id }: Entity): void {
      if (this.isRefusing && id.startsWith('indicator')) throw new PermanentError('refused')
      this.added.push(id)
    }
  }
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const adder = new Adder({ env: simulator.environment(), directory: tmpdir(), store, clock: fastClock() })
  onTestFinished(() => adder.stop())
  await adder.start()
  adder.isRefusing = true
  const { id } = simulator.create(indicator(2))
  await letterCount(store, 1)
  adder.isRefusing = false
  const before = adder.status().skipped
  simulator.delete(id)
  await until('the delete', () => adder.status().skipped > before)
  await new DeadLetters(store).requestReplay('all')
  expect((await answered(store, 1)).error).toMatch(/^Stale: /)
  expect(adder.added).not.toContain(id)
})

test('waits in the lane behind the newer event of its entity, and is then stale', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const { id } = simulator.create(indicator(2))
  await until('the create', () => recorder.callsOf(id).length === 1)
  refused.set(id, new PermanentError('refused'))
  simulator.update(id, { name: 'older' })
  await letterCount(store, 1)

  const released = Promise.withResolvers<void>()
  let isUnderWay = false
  recorder.onCall = () => {
    isUnderWay = true
    return released.promise
  }
  simulator.update(id, { name: 'newer' })
  await until('the newer update under way', () => isUnderWay)
  await deadLetters.requestReplay([1])
  await until('the letter in its lane', () => recorder.status().inFlight === 2)
  released.resolve()
  expect((await answered(store, 1)).error).toMatch(/^Stale: /)
  expect(recorder.callsOf(id)).toEqual(['create', 'update'])
  expect(recorder.calls.at(-1)!.entity).toMatchObject({ name: 'newer' })
})

test('loses nothing in an outage and a stop in the middle, and does not try twice', async () => {
  const directory = await temporaryFolder()
  const simulator = await startSimulator()
  const connectorId = simulator.environment()['CONNECTOR_ID']!
  const poison = indicator(2)
  let error: Error | undefined = new PermanentError('refused')
  const start = async () => {
    const store = new SqliteStore({ directory, connectorId })
    const recorder = await startRecorder(simulator, {
      store,
      env: { CONNECTOR_STOP_GRACE_MS: '100' },
      onCall: (call) => {
        if (call.entityId === poison.id && error !== undefined) throw error
      },
    })
    return { store, recorder }
  }
  const first = await start()
  await caughtUp(first.recorder)
  simulator.create(poison)
  await letterCount(first.store, 1)

  error = new RetryableError('the target is down')
  const shared = new SqliteStore({ directory, connectorId, access: 'shared' })
  await shared.open(connectorId)
  onTestFinished(() => shared.close())
  await new DeadLetters(shared).requestReplay('all')
  await until('tries', () => first.recorder.status().retries > 2)
  expect(first.recorder.status().inFlight).toBe(1)
  await first.recorder.stop()
  expect(await shared.deadLetter(1)).toMatchObject({ attempts: 1, replay: 'requested' })

  error = undefined
  const second = await start()
  await letterCount(shared, 0)
  expect(second.recorder.callsOf(poison.id)).toEqual(['create'])
})

test('tries many once each, in parallel', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage({ CONNECTOR_CONCURRENCY: '16' })
  const items = Array.from({ length: 770 }, (_, index) => indicator(1000 + index))
  // Some between them are taken: it would pause otherwise.
  const bad = items.filter((_, index) => index % 11 !== 10)
  for (const { id } of bad) refused.set(id, new PermanentError('refused'))
  for (const item of items) simulator.create(item)
  await letterCount(store, bad.length)
  refused.clear()
  await deadLetters.requestReplay('all')
  await letterCount(store, 0)
  expect(
    indicatorCalls(recorder)
      .map(({ entityId }) => entityId)
      .toSorted(),
  ).toEqual(items.map(({ id }) => id).toSorted())
  expectBalance(recorder)
})

test('retries only the failed part of a merge', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const [target, source] = [indicator(2), indicator(3)]
  simulator.create(target)
  simulator.create(source)
  await until('both', () => indicatorCalls(recorder).length === 2)
  refused.set(source.id, new PermanentError('cannot be withdrawn'))
  simulator.merge(target.id, [source.id])
  await letterCount(store, 1)
  expect(await deadLetters.get(1)).toMatchObject({ eventType: 'merge', entityId: source.id })
  refused.clear()
  await deadLetters.requestReplay('all')
  await letterCount(store, 0)
  expect(recorder.callsOf(source.id)).toEqual(['create', 'delete:merged'])
  expect(recorder.callsOf(target.id)).toEqual(['create', 'update'])
})

test('keeps an unreadable frame, refuses to replay it, and does not let it delay others', async () => {
  const { simulator, store, recorder, deadLetters } = await stage()
  simulator.create(indicator(1))
  simulator.faults.malformedFrame()
  await letterCount(store, 1)
  expect(await deadLetters.requestReplay('all')).toEqual({ requested: 0, unreadable: 1, missing: [] })
  const { id } = simulator.create(indicator(2))
  await until('the next event', () => recorder.callsOf(id).length === 1)
  expect(await store.countDeadLetters()).toBe(1)
})

test('goes out in a batch as well, without waiting for more', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const taken: string[] = []
  let poison: string | undefined
  class Bulk extends StreamConnector {
    static override readonly defaults = { name: 'Bulk' }
    transform(entity: Entity): Entity {
      return entity
    }
    override flush(operations: readonly FlushOperation<Entity>[]) {
      return operations.map(({ context }) => {
        if (context.entityId === poison) return { status: 'reject' as const, reason: 'bad item' }
        taken.push(context.entityId)
        return { status: 'ok' as const }
      })
    }
  }
  const options: ConnectorOptions = {
    env: { ...simulator.environment(), CONNECTOR_LOG_LEVEL: 'error' },
    directory: tmpdir(),
    store,
    clock: fastClock(500),
  }
  const connector = new Bulk(options)
  onTestFinished(() => connector.stop())
  await connector.start()
  poison = indicator(2).id
  simulator.create(indicator(2))
  simulator.create(indicator(1))
  await letterCount(store, 1)
  poison = undefined
  await new DeadLetters(store).requestReplay('all')
  await letterCount(store, 0)
  expect(taken.filter((id) => id === indicator(2).id)).toHaveLength(1)
})

test('is the way out if the dead letters have reached their maximum', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage({
    CONNECTOR_DEAD_LETTERS_MAX: '3',
  })
  const items = [1, 2, 3].map(indicator)
  for (const { id } of items) refused.set(id, new PermanentError('refused'))
  for (const item of items) simulator.create(item)
  await letterCount(store, 3)
  await until('reading to stop', () => recorder.lines.some(({ message }) => /reading pauses/.test(message)))
  refused.clear()
  await deadLetters.requestReplay('all')
  await letterCount(store, 0)
  const { id } = simulator.create(indicator(4))
  await until('reading to go on', () => recorder.callsOf(id).length === 1)
})

test('obeys a request made while the connector was stopped when it starts', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const poison = indicator(2)
  refused.set(poison.id, new PermanentError('refused'))
  simulator.create(poison)
  await letterCount(store, 1)
  await recorder.stop()
  await store.open(recorder.settings.connector.id)
  await deadLetters.requestReplay('all')
  await store.close()
  const next = makeRecorder(simulator, { store })
  await next.start()
  await letterCount(store, 0)
  expect(next.callsOf(poison.id)).toEqual(['create'])
})

test('starts none twice that is under way, however long it takes', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const poison = indicator(2)
  refused.set(poison.id, new PermanentError('refused'))
  simulator.create(poison)
  await letterCount(store, 1)
  const released = Promise.withResolvers<void>()
  let calls = 0
  recorder.onCall = () => {
    calls++
    return released.promise
  }
  await deadLetters.requestReplay('all')
  await until('the replay under way', () => calls === 1)
  // Long enough for several looks, and asked for again meanwhile.
  await deadLetters.requestReplay('all')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(recorder.status().inFlight).toBe(1)
  released.resolve()
  await letterCount(store, 0)
  expect(calls).toBe(1)
})

test('delivers none twice while the result cannot be written', async () => {
  const simulator = await startSimulator()
  let isDiskFull = false
  class FullDisk extends MemoryStore {
    override async commit(changes: StateChanges): Promise<void> {
      if (isDiskFull) throw new StateError('STATE_NOT_WRITTEN', 'The disk is full.')
      await super.commit(changes)
    }
  }
  const store = new FullDisk()
  const poison = indicator(2)
  let isRefused = true
  const recorder = await startRecorder(simulator, {
    store,
    onCall: ({ entityId }) => {
      if (entityId !== poison.id) return
      if (isRefused) throw new PermanentError('refused')
      isDiskFull = true
    },
  })
  await caughtUp(recorder)
  simulator.create(poison)
  await letterCount(store, 1)
  isRefused = false
  await new DeadLetters(store).requestReplay('all')
  await until('the trouble', () => recorder.status().stateProblem !== undefined)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await store.countDeadLetters()).toBe(1)
  isDiskFull = false
  await letterCount(store, 0)
  expect(recorder.callsOf(poison.id)).toEqual(['create'])
})

test('removes one that its author skips, whatever the reason is called', async () => {
  const { simulator, store, recorder, deadLetters, refused } = await stage()
  const items = [indicator(2), indicator(3)]
  for (const { id } of items) refused.set(id, new PermanentError('refused'))
  for (const item of items) simulator.create(item)
  await letterCount(store, 2)
  refused.set(items[0]!.id, new SkipEvent('reset'))
  refused.set(items[1]!.id, new SkipEvent('stale'))
  await deadLetters.requestReplay('all')
  await letterCount(store, 0)
  expectBalance(recorder)
})
