import { expect, test } from 'vitest'
import { IdMap, MemoryStore, PermanentError, systemClock, type EntityRecord } from 'opencti-stream-connector'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import {
  ChannelConnector,
  Channels,
  indicator,
  lettersOf,
  live,
  type ChannelOptions,
} from '../fixtures/channels.ts'

/** What an earlier run pushed through a route, and whose time has come. */
const expired: EntityRecord = {
  key: 'one@chat',
  route: 'chat',
  stixId: 'indicator--one',
  externalId: 'chat/one',
  position: '1000-0',
  expiresAtMs: 1,
}

/** A connector that an earlier run has left with it. */
async function withExpired(onCall?: ChannelOptions['onCall']) {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  await store.open(simulator.connectorId)
  const values = new Map([
    ['routes', '["chat"]'],
    ['id-map', 'complete'],
  ])
  await store.commit({ putEntities: [expired], values })
  await store.close()
  const channels = new Channels()
  channels.heldBy('chat').set('one', indicator('one', undefined) as never)
  const connector = ChannelConnector.of({
    channels,
    store,
    env: simulator.environment(),
    defaults: {
      routes: { chat: {} },
      filter: { types: ['indicator'] },
      on: { expired: 'delete', expiryTimer: true },
    },
    onCall,
  })
  return { channels, connector, store }
}

test('an expiry on a route waits in the lane of its entity there', async () => {
  const gate = Promise.withResolvers<void>()
  const { channels, connector, store } = await withExpired(() => gate.promise)
  await connector.start()
  await until('the withdrawal', () => connector.status().inFlight === 1)
  const valid = indicator('one', undefined, {
    valid_until: new Date(systemClock.now() + 3_600_000).toISOString(),
  })
  const update = connector.processMessage({
    event: 'update',
    id: '2000-0',
    data: { version: '4', type: 'update', scope: 'external', message: '', data: valid },
  })
  await until('the update waits', () => connector.status().inFlight === 2)
  gate.resolve()
  await update
  expect(channels.linesOf('chat')).toEqual(['delete one expired', 'create one'])
  await until('its record', async () => (await store.entity('one@chat'))?.position === '2000-0')
  expect(await store.entities({ limit: 9 })).toMatchObject([{ key: 'one@chat', position: '2000-0' }])
})

test('replays the dead letter of an expiry on a route', async () => {
  let isLocked = true
  const { channels, connector, store } = await withExpired(() => {
    if (isLocked) throw new PermanentError('locked')
  })
  await connector.start()
  const [letter] = await until('the letter', async () => {
    const letters = await lettersOf(store)
    return letters.length > 0 && letters
  })
  isLocked = false
  await store.requestReplay({ ids: [letter!.id], force: false })
  await until('its end', async () => (await lettersOf(store)).length === 0)
  expect(channels.linesOf('chat').at(-1)).toBe('delete one expired')
  expect(channels.heldBy('chat').size).toBe(0)
})

test('a handwritten map names entities on routes without their keys', async () => {
  const store = new MemoryStore()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  const lines = [
    { key: 'one', route: 'chat', externalId: 'chat/one' },
    { stixId: 'indicator--two', route: 'chat', externalId: 'chat/two' },
    { key: 'three', stixId: 'indicator--three', route: 'chat', externalId: 'chat/three' },
    { key: 'four@chat', route: 'chat', externalId: 'chat/four' },
  ]
  await new IdMap(store).import(() => lines.map((line) => JSON.stringify(line)))
  await store.close()
  const channels = new Channels()
  const names = ['one', 'two', 'three', 'four']
  for (const name of names) channels.heldBy('chat').set(name, {} as never)
  const connector = ChannelConnector.of({
    channels,
    store,
    defaults: { routes: { chat: {} } },
  })
  for (const [index, name] of names.entries())
    await connector.processMessage(live('update', indicator(name, undefined), `${2000 + index}-0`))
  const told = channels.told.get('chat')!.map(({ hook, key, externalId }) => ({ hook, key, externalId }))
  const ids = ['chat/one', 'chat/two', 'chat/three', 'chat/four']
  expect(told).toEqual(names.map((key, index) => ({ hook: 'update', key, externalId: ids[index] })))
  await connector.stop()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  const records = await store.entities({ limit: 9 })
  expect(records.map(({ key, route }) => `${key} ${String(route)}`)).toEqual(
    names.map((name) => `${name}@chat chat`).toSorted(),
  )
})
