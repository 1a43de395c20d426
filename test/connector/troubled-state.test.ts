import { expect, test } from 'vitest'
import { DeadLetters, MemoryStore, StateError, type EntityRecord } from 'opencti-stream-connector'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { ChannelConnector, Channels, indicator, lettersOf, live } from '../fixtures/channels.ts'

/** A state that cannot be read for a while. */
class UnreadableStore extends MemoryStore {
  isUnreadable = false
  reads = 0

  override entity(key: string): EntityRecord | undefined {
    this.reads++
    if (this.isUnreadable) throw new StateError('STATE_UNREADABLE', 'the disk does not answer')
    return super.entity(key)
  }
}

test('waits for an unreadable state, and makes no dead letter of an event', async () => {
  const store = new UnreadableStore()
  const channels = new Channels()
  const connector = ChannelConnector.of({ channels, store, defaults: { routes: {} } })
  await connector.processMessage(live('create', indicator('one', undefined), '1000-0'))
  await until('the commit', () => store.entity('one') !== undefined)
  store.isUnreadable = true
  store.reads = 0
  const ended = connector.processMessage(live('update', indicator('one', undefined), '1001-0'))
  await until('more tries than an event has', () => store.reads > 5)
  store.isUnreadable = false
  expect(await ended).toEqual({ kind: 'delivered' })
  expect(channels.linesOf('')).toEqual(['create one', 'update one'])
  expect(connector.status()).toMatchObject({ deadLettered: 0, outage: undefined })
})

test('withdraws no expired entity while there is no room for the dead letter that it may become', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  await store.open(simulator.connectorId)
  const due = { key: 'one', stixId: 'indicator--one', position: '1000-0', expiresAtMs: 1 }
  const letter = { eventType: 'create', attempts: 1, firstAtMs: 1, lastAtMs: 1, error: 'old', data: '{}' }
  const values = new Map([['id-map', 'complete']])
  await store.commit({ putEntities: [due], addDeadLetters: [letter], values })
  await store.close()
  const channels = new Channels()
  channels.heldBy('').set('one', {} as never)
  const connector = ChannelConnector.of({
    channels,
    store,
    env: { ...simulator.environment(), CONNECTOR_DEAD_LETTERS_MAX: '1' },
    defaults: { routes: {}, filter: { types: ['indicator'] }, on: { expired: 'delete', expiryTimer: true } },
  })
  await connector.start()
  await until('the wait', () =>
    connector.lines.some((line) => line.startsWith('The maximum number of dead letters')),
  )
  expect(channels.linesOf('')).toEqual([])
  expect(await lettersOf(store)).toHaveLength(1)
  await new DeadLetters(store).purge('all')
  await until('the withdrawal', () => channels.linesOf('').includes('delete one expired'))
})
