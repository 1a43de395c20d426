import { copyFile, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  DeadLetters,
  MemoryStore,
  PermanentError,
  SqliteStore,
  StreamConnector,
  type Clock,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type FlushOperation,
  type FlushResult,
  type StateStore,
} from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { caughtUp, makeRecorder, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { JsonServer } from '../fixtures/json-server.ts'

/** Takes everything, unless a test gives a hook another body. */
class Plain extends StreamConnector {
  static override readonly defaults = {
    name: 'Plain',
    filter: { types: ['indicator'] },
    retry: { baseMs: 10, maxMs: 50 },
  }
  readonly taken: string[] = []
  onTransform: (entity: Entity) => unknown = (entity) => entity
  onCreate: (entity: Entity, context: EventContext) => unknown = () => undefined

  transform(entity: Entity): Entity {
    return this.onTransform(entity) as Entity
  }

  override async create(item: Entity, context: EventContext): Promise<string> {
    const id = await this.onCreate(item, context)
    this.taken.push(item.id)
    return id as string
  }
}

/** The same in batches of three. */
class Bulk extends Plain {
  static override readonly defaults = { ...Plain.defaults, batch: { maxItems: 3, maxWaitMs: 500 } }
  onFlush: (operations: readonly FlushOperation<Entity>[]) => unknown = () => undefined

  override async flush(operations: readonly FlushOperation<Entity>[]): Promise<FlushResult[]> {
    return (await this.onFlush(operations)) as FlushResult[]
  }
}

interface Stage<T> {
  readonly simulator: Simulator
  readonly connector: T
  readonly store: StateStore
  /** Publishes so many new indicators; answers their ids. */
  readonly publish: (count: number) => string[]
}

async function stage<T extends Plain>(
  make: new (options: ConnectorOptions) => T,
  options: ConnectorOptions & { prepare?: (connector: T) => void } = {},
): Promise<Stage<T>> {
  const simulator = await startSimulator()
  const { prepare, env, ...rest } = options
  const store = rest.store ?? new MemoryStore()
  const connector = new make({
    directory: tmpdir(),
    clock: fastClock(),
    random: () => 0.5,
    ...rest,
    store,
    env: { ...simulator.environment(), ...env },
  })
  prepare?.(connector)
  onTestFinished(() => connector.stop())
  await connector.start()
  let seed = 100
  const publish = (count: number) =>
    Array.from({ length: count }, () => simulator.create(buildIndicator('ipv4', { seed: seed++ })).id)
  return { simulator, connector, store, publish }
}

/** Everything has ended, and all of it is in the counters. */
async function settled({ connector, simulator }: Stage<Plain>): Promise<void> {
  await until('the end of all work', () => {
    const { inFlight, position } = connector.status()
    return inFlight === 0 && position >= simulator.lastEventId
  })
  const { received, delivered, skipped, deadLettered } = connector.status()
  expect(received).toBe(delivered + skipped + deadLettered)
}

async function errorsOf(store: StateStore): Promise<string[]> {
  return (await store.deadLetters({ limit: 100 })).map(({ error }) => error)
}

describe('a hook that throws something that is not an error', () => {
  for (const thrown of ['text', undefined, null, 7, { no: 'error' }]) {
    test(`(${JSON.stringify(thrown)}) is retried, then becomes a dead letter that says so, and the others continue`, async () => {
      const on = await stage(Plain)
      const [bad] = on.publish(1)
      on.connector.onCreate = ({ id }) => {
        if (id === bad) throw thrown
      }
      const good = on.publish(10)
      await until('the good ones', () => good.every((id) => on.connector.taken.includes(id)))
      // It is held against an event only while the target works for others.
      while ((await on.store.countDeadLetters()) === 0) {
        on.publish(1)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await settled(on)
      expect(await errorsOf(on.store)).toEqual([
        expect.stringMatching(/a value that is not an Error was thrown \((string|undefined|object|number)\)/),
      ])
      expect(on.connector.status().retries).toBeGreaterThanOrEqual(2)
    })
  }

  test('in transform makes a dead letter at once', async () => {
    const on = await stage(Plain)
    on.connector.onTransform = () => {
      throw 'text'
    }
    on.publish(1)
    await until('the dead letter', async () => (await on.store.countDeadLetters()) === 1)
    await settled(on)
    expect(on.connector.status().retries).toBe(0)
    expect((await errorsOf(on.store))[0]).toMatch(/not an Error was thrown/)
  })
})

describe('a hook that never returns', () => {
  test('delays only its own entity, does not delay the stop, and its event comes again', async () => {
    const store = new MemoryStore()
    const on = await stage(Plain, { store, env: { CONNECTOR_STOP_GRACE_MS: '2000' } })
    const [hung] = on.publish(1)
    on.connector.onCreate = ({ id }) => (id === hung ? new Promise(() => {}) : undefined)
    const others = on.publish(20)
    await until('the others', () => others.every((id) => on.connector.taken.includes(id)))
    on.simulator.update(hung!, { name: 'waits behind the create' })
    await until('it', () => on.connector.status().inFlight === 2)
    await on.connector.stop()
    expect(on.connector.status().state).toBe('stopped')
    const env = on.simulator.environment()
    const next = new Plain({ env, directory: tmpdir(), store, clock: fastClock() })
    onTestFinished(() => next.stop())
    await next.start()
    await until('it, in the next life', () => next.taken.includes(hung!))
    expect(next.taken.filter((id) => others.includes(id))).toEqual([])
  })

  test('fails at its time limit with a message that names the hook and the setting, and is retried', async () => {
    const on = await stage(Plain, { env: { CONNECTOR_HOOK_TIMEOUT_MS: '500' } })
    let hangs = true
    on.connector.onCreate = (_, { signal }) =>
      hangs
        ? new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(new Error('interrupted'))),
          )
        : undefined
    const [id] = on.publish(1)
    await until('the retry', () => on.connector.status().retries > 0)
    expect(on.connector.status().deadLettered).toBe(0)
    hangs = false
    await until('its effect', () => on.connector.taken.includes(id!))
    await settled(on)
    expect(on.connector.status().deadLettered).toBe(0)
  })
})

describe('a hook with an invalid result', () => {
  for (const [what, answer] of [
    ['an object', { id: 7 }],
    ['a response', new Response('created')],
    ['a boolean', true],
    ['a promise in a list', [Promise.resolve('id')]],
  ] as const) {
    test(`of create (${what}) makes a dead letter that says what to return`, async () => {
      const on = await stage(Plain)
      on.connector.onCreate = () => answer
      on.publish(1)
      await until('the dead letter', async () => (await on.store.countDeadLetters()) === 1)
      await settled(on)
      expect((await errorsOf(on.store))[0]).toMatch(
        /create\(\) returned .*Return the target's id as a string or number/,
      )
    })
  }

  for (const [what, answer, told] of [
    ['fewer results than operations', ['ok'], /flush\(\) returned 2 results for 1 operations/],
    ['an object', { items: [] }, /flush\(\) returned a value of type object/],
    ['a number', 3, /flush\(\) returned a value of type number/],
  ] as const) {
    test(`of flush (${what}) is retried, then makes dead letters that say what to return`, async () => {
      const on = await stage(Bulk)
      const bad = on.publish(3)
      // Alone, two results for one are as wrong as one for three.
      const wrong = (count: number) => (Array.isArray(answer) && count === 1 ? ['ok', 'ok'] : answer)
      on.connector.onFlush = (operations) =>
        operations.some(({ context }) => bad.includes(context.entityId))
          ? wrong(operations.length)
          : undefined
      while ((await on.store.countDeadLetters()) < 3) {
        on.publish(3)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      await settled(on)
      const letters = await on.store.deadLetters({ limit: 100 })
      expect(letters.map(({ entityId }) => entityId).toSorted()).toEqual(bad.toSorted())
      for (const { error } of letters) {
        expect(error).toMatch(told)
        expect(error).toMatch(/Return one result per operation/)
      }
    })
  }
})

/** A real bulk target: keeps what it takes by id, and counts how often. */
async function bulkTarget() {
  const taken = new Map<string, number>()
  const behavior = {
    /** What becomes of an item; `taken` unless told otherwise. */
    statusOf: (_id: string): number => 201,
    /** Takes everything and never answers. */
    isMute: false,
  }
  const server = new JsonServer((body, response) => {
    const items = (body as string[]).map((id) => {
      const status = behavior.statusOf(id)
      if (status < 300) taken.set(id, (taken.get(id) ?? 0) + 1)
      return { id, status }
    })
    if (behavior.isMute) return
    // As Elasticsearch, Splunk and others do it: 200, whatever became of the items.
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ errors: items.some(({ status }) => status >= 300), items }))
  })
  await server.open()
  onTestFinished(() => server.close())
  const send = async (connector: Plain, operations: readonly FlushOperation<Entity>[]) => {
    const { signal } = operations[0]!.context
    const ids = operations.map(({ context }) => context.entityId)
    const answer = connector.http.post(server.url, { json: ids, signal })
    return (await answer.json<{ items: { id: string; status: number }[] }>()).items
  }
  return { taken, behavior, send }
}

describe('a bulk target', () => {
  test('that answers 200 with errors inside gets only the failed items again, or they become dead letters', async () => {
    const target = await bulkTarget()
    const on = await stage(Bulk, {
      prepare: (connector) => {
        connector.onFlush = async (operations) =>
          (await target.send(connector, operations)).map(({ status }) =>
            status < 300
              ? 'ok'
              : status === 429
                ? 'retry'
                : { status: 'reject', reason: `the target answered ${status} for the item` },
          )
      },
    })
    const ids = Array.from({ length: 9 }, (_, index) => buildIndicator('ipv4', { seed: 100 + index }).id)
    const [bad, busy] = [ids[1]!, ids[4]!]
    let isBusy = 2
    target.behavior.statusOf = (id) => (id === bad ? 400 : id === busy && isBusy-- > 0 ? 429 : 201)
    expect(on.publish(9)).toEqual(ids)
    await until('all of them', () => ids.every((id) => id === bad || target.taken.has(id)))
    await settled(on)
    expect([...target.taken.values()]).toEqual(Array.from({ length: 8 }, () => 1))
    expect(await errorsOf(on.store)).toEqual(['the target answered 400 for the item'])
    expect(on.connector.status()).toMatchObject({ delivered: 8, deadLettered: 1 })
  })

  test('whose flush throws after a partial effect gets all of it again, and nothing is lost', async () => {
    const target = await bulkTarget()
    let calls = 0
    const on = await stage(Bulk, {
      prepare: (connector) => {
        connector.onFlush = async (operations) => {
          await target.send(connector, operations.slice(0, 2))
          if (++calls === 1) throw new Error('the rest was not sent')
          await target.send(connector, operations.slice(2))
        }
      },
    })
    const ids = on.publish(3)
    await until('all of them', () => ids.every((id) => target.taken.has(id)))
    await settled(on)
    expect(on.connector.status()).toMatchObject({ delivered: 3, deadLettered: 0 })
    expect(on.connector.status().retries).toBeGreaterThan(0)
    expect(await on.store.countEntities()).toBe(3)
  })

  test('that accepts everything without an answer gets the call again until it answers', async () => {
    const target = await bulkTarget()
    target.behavior.isMute = true
    const on = await stage(Bulk, {
      env: { CONNECTOR_HOOK_TIMEOUT_MS: '3000' },
      prepare: (connector) => {
        connector.onFlush = async (operations) => {
          await target.send(connector, operations)
        }
      },
    })
    const ids = on.publish(3)
    await until('the retry', () => on.connector.status().retries >= 3)
    expect(on.connector.status()).toMatchObject({ delivered: 0, deadLettered: 0, inFlight: 3 })
    target.behavior.isMute = false
    await settled(on)
    expect(on.connector.status()).toMatchObject({ delivered: 3, deadLettered: 0 })
    // Done twice, as its author was told that it can be: never lost.
    for (const id of ids) expect(target.taken.get(id)).toBeGreaterThanOrEqual(2)
  })
})

test('a clock that jumps back by a day, and ahead by a year, stops nothing and makes no age negative', async () => {
  const fast = fastClock()
  let jumpMs = 0
  const clock: Clock = { ...fast, now: () => fast.now() + jumpMs }
  const simulator = await startSimulator()
  let fails = true
  const recorder = await startRecorder(simulator, {
    clock,
    onCall: () => {
      if (fails) throw Object.assign(new Error('not now'), { status: 503 })
    },
  })
  const ids: string[] = []
  for (const next of [0, -86_400_000, 365 * 86_400_000, 0]) {
    jumpMs = next
    ids.push(simulator.create(buildIndicator('ipv4', { seed: 900 + ids.length })).id)
    const { retries } = recorder.status()
    await until('more tries', () => recorder.status().retries > retries)
    const { lagMs, inFlight } = recorder.status()
    expect(lagMs).toBeGreaterThanOrEqual(0)
    expect(inFlight).toBeGreaterThan(0)
  }
  fails = false
  jumpMs = -86_400_000
  await caughtUp(recorder)
  for (const id of ids) expect(recorder.callsOf(id)).toEqual(['create'])
  expect(recorder.status()).toMatchObject({ deadLettered: 0, state: 'running', notReady: [] })
})

test('starts with 100,000 dead letters, says that there are too many, reads nothing, and resumes after a purge', async () => {
  const simulator = await startSimulator()
  const directory = await temporaryFolder()
  const { connectorId } = simulator
  const before = new SqliteStore({ directory, connectorId })
  await before.open(connectorId)
  const letter = { eventType: 'create', attempts: 3, firstAtMs: 1, lastAtMs: 2, error: 'refused' }
  await before.commit({
    addDeadLetters: Array.from({ length: 100_000 }, (_, index) => ({
      ...letter,
      key: `k${index}`,
      entityId: `indicator--${index}`,
      data: '{"data":{}}',
    })),
  })
  await before.close()

  const store = new SqliteStore({ directory, connectorId })
  const recorder = makeRecorder(simulator, { store })
  await recorder.start()
  await until('the message', () =>
    recorder.lines.some(({ message }) => /CONNECTOR_DEAD_LETTERS_MAX/.test(message)),
  )
  expect(recorder.status()).toMatchObject({
    deadLettersKept: 100_000,
    notReady: [
      { part: 'state', reason: expect.stringMatching(/limit of 100000 dead letters.*replay or purge/) },
    ],
  })
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 1 }))
  // Long enough for many events.
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(recorder.callsOf(id)).toEqual([])
  expect(await new DeadLetters(store).purge('all')).toBe(100_000)
  await until('the event', () => recorder.callsOf(id).length === 1)
  expect(recorder.status()).toMatchObject({ deadLettersKept: 0, notReady: [] })
})

test('a stop works with the maximum of dead letters', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const recorder = await startRecorder(simulator, {
    store,
    env: { CONNECTOR_DEAD_LETTERS_MAX: '1' },
    onCall: () => {
      throw new PermanentError('refused')
    },
  })
  await until('the message', () =>
    recorder.lines.some(({ message }) => /CONNECTOR_DEAD_LETTERS_MAX/.test(message)),
  )
  await recorder.stop()
  expect(recorder.status().state).toBe('stopped')
})

test('refuses a state file copied from another connector, says whose it is, and leaves it alone', async () => {
  const simulator = await startSimulator()
  const directory = await temporaryFolder()
  const otherId = '7d2f5b1c-3e0a-4c55-9a35-6b1d3f8e2a10'
  const other = new SqliteStore({ directory, connectorId: otherId })
  await other.open(otherId)
  await other.commit({ putEntities: [{ key: 'precious', stixId: 'indicator--1', externalId: 'T1' }] })
  await other.close()
  const path = join(directory, `${simulator.connectorId}.sqlite`)
  await copyFile(join(directory, `${otherId}.sqlite`), path)
  const bytes = await readFile(path)

  const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
  const recorder = makeRecorder(simulator, { store })
  await expect(recorder.start()).rejects.toMatchObject({ code: 'STATE_FOREIGN' })
  await expect(recorder.finished).rejects.toThrow(
    /belongs to another connector id.*its own folder, or restore its previous CONNECTOR_ID/,
  )
  expect(recorder.calls).toEqual([])
  expect(await readFile(path)).toEqual(bytes)
})
