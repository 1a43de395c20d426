import { describe, expect, test } from 'vitest'
import {
  IdMap,
  MemoryStore,
  PermanentError,
  StreamConnector,
  type ConnectorDefaults,
  type Entity,
  type FlushOperation,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { caughtUp, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { ChannelConnector, Channels, indicator, lettersOf, live } from '../fixtures/channels.ts'

const skipped = (reason: string) => ({ kind: 'skipped', reason })
const delivered = { kind: 'delivered' }

/** A connector with the routes of the specification, and a way to tell it of entities one after another. */
function stage(options: Partial<Parameters<typeof ChannelConnector.of>[0]> = {}, channels = new Channels()) {
  const connector = ChannelConnector.of({ channels, ...options })
  let at = 1000
  const tell = (event: string, data: unknown, context?: unknown) =>
    connector.processMessage(live(event, data, `${at++}-0`, context))
  return { connector, channels, tell }
}

describe('the routing of the specification', () => {
  test('sends secret knowledge to the secure channel, ordinary to the normal one, public to both', async () => {
    const { channels, tell } = stage()
    const outcomes = [
      await tell('create', indicator('red', 'TLP:RED')),
      await tell('create', indicator('strict', 'TLP:AMBER+STRICT')),
      await tell('create', indicator('amber', 'TLP:AMBER')),
      await tell('create', indicator('green', 'TLP:GREEN')),
      await tell('create', indicator('clear', 'TLP:CLEAR')),
      await tell('create', indicator('unmarked', undefined)),
    ]
    expect(outcomes).toEqual(outcomes.map(() => delivered))
    expect([...channels.heldBy('secure').keys()]).toEqual(['red', 'strict', 'clear', 'unmarked'])
    expect([...channels.heldBy('normal').keys()]).toEqual(['amber', 'green', 'clear', 'unmarked'])
  })

  test('sends an entity with an unknown marking to no channel, because it could be stricter than any', async () => {
    const { channels, tell } = stage()
    const own = ['marking-definition--0d7a1f0e-0000-4000-8000-000000000001']
    const outcome = await tell('create', indicator('own', undefined, { object_marking_refs: own }))
    expect(outcome).toEqual(skipped('no-route'))
    expect(channels.told.size).toBe(0)
  })

  test('moves an entity that changes its marking from one channel to the other', async () => {
    const { channels, tell } = stage()
    await tell('create', indicator('one', 'TLP:AMBER'))
    await tell('update', indicator('one', 'TLP:RED'))
    await tell('update', indicator('one', 'TLP:RED'))
    await tell('update', indicator('one', 'TLP:GREEN'))
    expect(channels.linesOf('normal')).toEqual(['create one', 'delete one left-route', 'create one'])
    expect(channels.linesOf('secure')).toEqual(['create one', 'update one', 'delete one left-route'])
    expect(channels.told.get('secure')!.map(({ externalId }) => externalId)).toEqual([
      undefined,
      'secure/one',
      'secure/one',
    ])
  })

  test('deletes through every route that had the entity, and through no other', async () => {
    const { connector, channels, tell } = stage()
    await tell('create', indicator('both', 'TLP:CLEAR'))
    await tell('create', indicator('secret', 'TLP:RED'))
    expect(await tell('delete', indicator('both', 'TLP:CLEAR'))).toEqual(delivered)
    expect(await tell('delete', indicator('secret', 'TLP:RED'))).toEqual(delivered)
    expect(await tell('delete', indicator('stranger', 'TLP:RED'))).toEqual(skipped('never-pushed'))
    expect(channels.linesOf('normal')).toEqual(['create both', 'delete both deleted'])
    expect(channels.linesOf('secure')).toEqual([
      'create both',
      'create secret',
      'delete both deleted',
      'delete secret deleted',
    ])
    const { routes } = connector.status()
    expect(routes['secure']).toMatchObject({ received: 5, delivered: 4, skipped: 1, inFlight: 0 })
    expect(routes['normal']).toMatchObject({
      received: 5,
      delivered: 2,
      skipped: 3,
      skippedByReason: { 'no-route': 3 },
    })
  })

  test("withdraws what fails the connector's filter from every route", async () => {
    const { channels, tell } = stage({ defaults: { filter: { labels: { none: ['drop'] } } } })
    await tell('create', indicator('both', 'TLP:CLEAR'))
    await tell('update', indicator('both', 'TLP:CLEAR', { labels: ['drop'] }))
    expect(channels.linesOf('normal')).toEqual(['create both', 'delete both left-filter'])
    expect(channels.linesOf('secure')).toEqual(['create both', 'delete both left-filter'])
  })

  test('withdraws the sources of a merge from the routes that had them', async () => {
    const { channels, tell } = stage()
    await tell('create', indicator('target', 'TLP:AMBER'))
    await tell('create', indicator('source', 'TLP:RED'))
    await tell('merge', indicator('target', 'TLP:RED'), { sources: [indicator('source', 'TLP:RED')] })
    expect(channels.linesOf('normal')).toEqual(['create target', 'delete target left-route'])
    expect(channels.linesOf('secure').toSorted()).toEqual([
      'create source',
      'create target',
      'delete source merged',
    ])
  })

  test('learns from the patch which routes an entity leaves and enters, without an id map', async () => {
    const { channels, tell } = stage({ ownIds: true, defaults: { idMap: false } })
    await tell('create', indicator('one', 'TLP:AMBER'))
    const reverse_patch = [
      {
        op: 'replace',
        path: '/object_marking_refs',
        value: indicator('one', 'TLP:AMBER')['object_marking_refs'],
      },
    ]
    await tell('update', indicator('one', 'TLP:RED'), { reverse_patch })
    expect(channels.linesOf('normal')).toEqual(['create one', 'delete one left-route'])
    expect(channels.linesOf('secure')).toEqual(['create one'])
  })
})

describe('routes that change between two runs', () => {
  const run = async (
    store: MemoryStore,
    channels: Channels,
    routes: ConnectorDefaults['routes'],
    at: number,
  ) => {
    const { connector } = stage({ store, defaults: { routes } }, channels)
    await connector.processMessage(live('update', indicator('one', 'TLP:CLEAR'), `${at}-0`))
    await connector.stop()
    return connector
  }

  test('withdraw what was pushed before there were routes, once, and say so in the log', async () => {
    const store = new MemoryStore()
    const channels = new Channels()
    await run(store, channels, {}, 1)
    const { lines } = await run(store, channels, { chat: {} }, 2)
    await run(store, channels, { chat: {} }, 3)
    expect(channels.linesOf('')).toEqual(['create one', 'delete one left-route'])
    expect(channels.linesOf('chat')).toEqual(['create one', 'update one'])
    expect(lines.filter((line) => line.includes('before there were routes'))).toHaveLength(1)
  })

  test('leave a connector without routes that withdraws from them what it pushes again', async () => {
    const store = new MemoryStore()
    const channels = new Channels()
    await run(store, channels, { chat: {}, siem: {} }, 1)
    await run(store, channels, { siem: {} }, 2)
    await run(store, channels, {}, 3)
    expect(channels.linesOf('chat')).toEqual(['create one', 'delete one left-route'])
    expect(channels.linesOf('siem')).toEqual(['create one', 'update one', 'delete one left-route'])
    expect(channels.linesOf('')).toEqual(['create one'])
  })

  test('withdraw what an imported id map has on routes that this connector does not have', async () => {
    const store = new MemoryStore()
    const channels = new Channels()
    const rows = ['chat', 'siem'].map((route) => ({
      key: `one@${route}`,
      route,
      stixId: 'indicator--one',
      externalId: route,
    }))
    for (const { route } of rows) channels.heldBy(route).set('one', {} as Entity)
    await store.open(minimalEnvironment.CONNECTOR_ID)
    await new IdMap(store).import(() => rows.map((row) => JSON.stringify(row)))
    await store.close()
    await run(store, channels, { siem: {} }, 1)
    expect(channels.linesOf('siem')).toEqual(['update one'])
    expect(channels.linesOf('chat')).toEqual(['delete one left-route'])
  })

  test('leave no trace in a connector that never had routes', async () => {
    const store = new MemoryStore()
    const connector = await run(store, new Channels(), {}, 1)
    expect(connector.status().routes).toEqual({})
    await store.open(minimalEnvironment.CONNECTOR_ID)
    expect(store.value('routes')).toBeUndefined()
    expect(Object.keys((await store.entities({ limit: 1 }))[0]!)).not.toContain('route')
  })
})

describe('after a failure', () => {
  test('a dead letter knows its route, and is retried through no other', async () => {
    const simulator = await startSimulator()
    const channels = new Channels()
    const store = new MemoryStore()
    let isRefused = true
    const connector = ChannelConnector.of({
      channels,
      store,
      env: { ...simulator.environment() },
      onCall: (route, { entity }) => {
        if (isRefused && route === 'secure' && entity.type === 'indicator')
          throw new PermanentError('unknown field')
      },
    })
    await connector.start()
    await caughtUp(connector)
    const poison = buildIndicator('domain', { seed: 1 })
    simulator.create(poison)
    await until('the dead letter', async () => (await store.countDeadLetters()) === 1)
    await until('the end of the event', () => connector.status().inFlight === 0)
    const [letter] = await lettersOf(store)
    expect(letter).toMatchObject({ route: 'secure', entityId: poison.id, error: 'unknown field' })
    const indicatorsOf = (route: string) =>
      channels.told
        .get(route)!
        .filter(({ entity }) => entity.type === 'indicator')
        .map(({ hook }) => hook)
    expect(indicatorsOf('normal')).toEqual(['create'])
    expect(connector.status().routes).toMatchObject({
      secure: { deadLettered: 1 },
      normal: { deadLettered: 0 },
    })
    isRefused = false
    await store.requestReplay({ force: false })
    await until('the letter to be delivered', async () => (await store.countDeadLetters()) === 0)
    expect(indicatorsOf('secure')).toEqual(['create'])
    expect(indicatorsOf('normal')).toEqual(['create'])
  })

  test('a condition that throws makes one dead letter, which is retried through all routes', async () => {
    const simulator = await startSimulator()
    const channels = new Channels()
    const store = new MemoryStore()
    let isBroken = true
    let refused = 'siem'
    const when = (entity: { type: string }) => {
      if (isBroken && entity.type === 'indicator') throw new Error('a bug')
      return true
    }
    const connector = ChannelConnector.of({
      channels,
      store,
      env: { ...simulator.environment() },
      defaults: { routes: { chat: {}, siem: { when } } },
      onCall: (route, { entity }) => {
        if (route === refused && entity.type === 'indicator') throw new PermanentError('unknown field')
      },
    })
    await connector.start()
    await caughtUp(connector)
    simulator.create(buildIndicator('domain', { seed: 1 }))
    await until('the dead letter', async () => (await store.countDeadLetters()) === 1)
    isBroken = false
    await store.requestReplay({ force: false })
    // One of its routes fails: the letter stays, whatever the other did.
    await until('the failure', async () => (await lettersOf(store))[0]?.error === 'unknown field')
    refused = ''
    await store.requestReplay({ force: false })
    await until('the letter to be delivered', async () => (await store.countDeadLetters()) === 0)
    const told = (route: string) =>
      channels.told.get(route)!.filter(({ entity }) => entity.type === 'indicator')
    expect(told('chat').map(({ hook }) => hook)).toEqual(['create', 'update'])
    expect(told('siem').map(({ hook }) => hook)).toEqual(['create'])
  })

  test('a dead letter of a route that no longer exists says so', async () => {
    const simulator = await startSimulator()
    const store = new MemoryStore()
    await store.open(simulator.environment()['CONNECTOR_ID']!)
    const data = JSON.stringify(live('create', indicator('one', 'TLP:RED'), '1-0').data)
    const times = { attempts: 1, firstAtMs: 1, lastAtMs: 1 }
    await store.commit({
      addDeadLetters: [{ key: 'one@gone', route: 'gone', eventType: 'create', error: 'no', data, ...times }],
    })
    await store.requestReplay({ force: false })
    await store.close()
    const connector = ChannelConnector.of({ channels: new Channels(), store, env: simulator.environment() })
    await connector.start()
    const letter = await until('the answer', async () => {
      const [first] = await lettersOf(store)
      return first?.replay === undefined ? first : undefined
    })
    expect(letter.error).toContain('the route gone, through which it failed, no longer exists')
  })

  test('a channel that is down delays no other, and comes back by itself', async () => {
    const channels = new Channels()
    let isDown = true
    const { connector } = stage(
      {
        defaults: { outage: { failures: 2, probeMinMs: 100, probeMaxMs: 100 } },
        onCall: (route) => {
          if (isDown && route === 'secure')
            throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
        },
      },
      channels,
    )
    const both = Array.from({ length: 20 }, (_, index) =>
      connector.processMessage(live('create', indicator(`e${index}`, 'TLP:CLEAR'), `${1000 + index}-0`)),
    )
    await until('the outage of one route', () => connector.status().routes['secure']?.outage !== undefined)
    await until('the end of the other', () => channels.heldBy('normal').size === 20)
    const { outage, routes, deadLettered } = connector.status()
    expect(outage).toContain('route secure: ')
    expect(routes).toMatchObject({ normal: { outage: undefined, inFlight: 0 }, secure: { inFlight: 20 } })
    expect(deadLettered).toBe(0)
    isDown = false
    expect(await Promise.all(both)).toEqual(both.map(() => delivered))
    expect(connector.status().outage).toBeUndefined()
    expect(channels.heldBy('secure').size).toBe(20)
  })
})

test('a batch only holds operations of one route', async () => {
  const batches: string[][] = []
  class Bulk extends StreamConnector {
    static override readonly defaults = {
      name: 'Bulk',
      batch: { maxWaitMs: 20 },
      routes: { chat: {}, siem: {} },
    }
    transform(entity: Entity) {
      return entity
    }
    override flush(operations: readonly FlushOperation<Entity>[]) {
      batches.push(operations.map(({ kind, context }) => `${context.route!} ${kind} ${context.internalId!}`))
      return operations.map(({ context }) => ({ status: 'ok' as const, externalId: `${context.route!}-id` }))
    }
  }
  const store = new MemoryStore()
  const connector = new Bulk({ env: minimalEnvironment, directory: '/', store })
  await Promise.all(
    ['a', 'b'].map((name) => connector.processMessage(live('create', indicator(name, undefined), '1-0'))),
  )
  expect(batches.flat().toSorted()).toEqual([
    'chat create a',
    'chat create b',
    'siem create a',
    'siem create b',
  ])
  for (const batch of batches) expect(new Set(batch.map((line) => line.split(' ')[0])).size).toBe(1)
  await connector.stop()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  expect((await store.entities({ limit: 9 })).map(({ key, externalId }) => `${key} ${externalId!}`)).toEqual([
    'a@chat chat-id',
    'a@siem siem-id',
    'b@chat chat-id',
    'b@siem siem-id',
  ])
})

test('metrics and status report each route, and none if there are no routes', async () => {
  const simulator = await startSimulator()
  const env = {
    ...simulator.environment(),
    CONNECTOR_EXPOSE_METRICS: 'true',
    CONNECTOR_METRICS_PORT: '0',
    CONNECTOR_METRICS_HOST: '127.0.0.1',
    CONNECTOR_HEALTH_PORT: '0',
  }
  const make = async (routes: ConnectorDefaults['routes']) => {
    const connector = ChannelConnector.of({ channels: new Channels(), env, defaults: { routes } })
    await connector.start()
    await caughtUp(connector)
    const { endpoints } = connector.status()
    const read = async (path: string) => (await fetch(path)).text()
    const texts = [
      await read(`${endpoints.metrics!}/metrics`),
      await read(`${endpoints.health!}/status`),
    ] as const
    return { connector, texts }
  }
  simulator.create(buildIndicator('domain', { seed: 1 }))
  const { connector, texts } = await make({ chat: { types: ['indicator'] }, siem: {} })
  const { routes } = connector.status()
  const chat = routes['chat']!
  expect(chat.delivered).toBe(1)
  expect(routes['siem']!.delivered).toBeGreaterThan(1)
  expect(texts[0]).toContain('opencti_stream_route_delivered_total{route="chat"} 1\n')
  expect(texts[0]).toContain('opencti_stream_route_up{route="siem"} 1\n')
  expect(texts[0]).toContain(
    'opencti_stream_hook_duration_seconds_count{hook="create",route="chat",outcome="ok"} 1\n',
  )
  expect(JSON.parse(texts[1])).toMatchObject({
    routes: { chat: { delivered: 1 } },
    hooks: { 'create@chat': { ok: 1 } },
  })
  const plain = await make({})
  expect(plain.texts[0]).not.toContain('route=')
  expect(JSON.parse(plain.texts[1])).toMatchObject({ routes: {}, hooks: { create: {} } })
})
