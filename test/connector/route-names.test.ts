import { expect, test } from 'vitest'
import { IdMap, MemoryStore, PermanentError, systemClock, type EntityRecord } from 'opencti-stream-connector'
import { startSimulator } from '../integration/stage.ts'
import { until } from '../integration/until.ts'
import { minimalEnvironment } from '../settings/minimal-environment.ts'
import { ChannelConnector, Channels, indicator, lettersOf, live, type ChannelOptions } from './channels.ts'

/** What an earlier run pushed through the route that was called `old` then, and whose time has come. */
const expired: EntityRecord = {
  key: 'one@old',
  route: 'old',
  stixId: 'indicator--one',
  externalId: 'old/one',
  position: '1000-0',
  expiresAtMs: 1,
}

/** A connector whose route has been renamed since an earlier run. */
async function renamed(onCall?: ChannelOptions['onCall'], more: readonly EntityRecord[] = []) {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  await store.open(simulator.connectorId)
  const values = new Map([
    ['routes', '["old"]'],
    ['id-map', 'complete'],
  ])
  await store.commit({ putEntities: [expired, ...more], values })
  await store.close()
  const channels = new Channels()
  channels.heldBy('renamed').set('one', indicator('one', undefined) as never)
  const connector = ChannelConnector.of({
    channels,
    store,
    env: simulator.environment(),
    defaults: {
      routes: { renamed: { formerly: ['old'] } },
      filter: { types: ['indicator'] },
      on: { expired: 'delete', expiryTimer: true },
    },
    onCall,
  })
  return { channels, connector, store }
}

test('what expires under the former name of its route stands in the lane of its present name', async () => {
  const gate = Promise.withResolvers<void>()
  const { channels, connector, store } = await renamed(() => gate.promise)
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
  expect(channels.linesOf('renamed')).toEqual(['delete one expired', 'create one'])
  await until('its record', () => store.entity('one@renamed') !== undefined)
  expect(await store.entities({ limit: 9 })).toMatchObject([{ key: 'one@renamed', position: '2000-0' }])
})

test('what stands under the former and the present name of its route, and expires under one, is looked at once', async () => {
  const holds = { ...expired, key: 'one@renamed', route: 'renamed', expiresAtMs: systemClock.now() + 1e9 }
  const { channels, connector, store } = await renamed(undefined, [holds])
  await connector.start()
  await until('its end', () => connector.status().skippedByReason['overtaken'] !== undefined)
  // Long enough for many looks.
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(connector.status().skippedByReason['overtaken']).toBe(1)
  expect(channels.linesOf('renamed')).toEqual([])
  expect(await store.entities({ limit: 9 })).toMatchObject([{ key: 'one@old' }, holds])
})

test('its dead letter can be replayed', async () => {
  let isLocked = true
  const { channels, connector, store } = await renamed(() => {
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
  expect(channels.linesOf('renamed').at(-1)).toBe('delete one expired')
  expect(channels.heldBy('renamed').size).toBe(0)
})

test('a map that was written by hand names entities at routes without their keys, also by a former name', async () => {
  const store = new MemoryStore()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  const lines = [
    { key: 'one', route: 'renamed', externalId: 'renamed/one' },
    { stixId: 'indicator--two', route: 'old', externalId: 'old/two' },
    { key: 'three', stixId: 'indicator--three', route: '', externalId: 'three' },
    { key: 'four@renamed', route: 'renamed', externalId: 'renamed/four' },
  ]
  await new IdMap(store).import(() => lines.map((line) => JSON.stringify(line)))
  await store.close()
  const channels = new Channels()
  const names = ['one', 'two', 'three', 'four']
  for (const name of names) channels.heldBy('renamed').set(name, {} as never)
  const connector = ChannelConnector.of({
    channels,
    store,
    defaults: { routes: { renamed: { formerly: ['old', ''] } } },
  })
  for (const [index, name] of names.entries())
    await connector.processMessage(live('update', indicator(name, undefined), `${2000 + index}-0`))
  const told = channels.told.get('renamed')!.map(({ hook, key, externalId }) => ({ hook, key, externalId }))
  const ids = ['renamed/one', 'old/two', 'three', 'renamed/four']
  expect(told).toEqual(names.map((key, index) => ({ hook: 'update', key, externalId: ids[index] })))
  await connector.stop()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  const records = await store.entities({ limit: 9 })
  expect(records.map(({ key, route }) => `${key} ${String(route)}`)).toEqual(
    names.map((name) => `${name}@renamed renamed`).toSorted(),
  )
})
