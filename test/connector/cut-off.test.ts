import { expect, test } from 'vitest'
import { MemoryStore, systemClock } from 'opencti-stream-connector'
import { minimalEnvironment } from '../settings/minimal-environment.ts'
import { ChannelConnector, Channels, indicator, live } from './channels.ts'

const running = 'running-since'

/** A connector whose last run pushed two entities; it was killed before it remembered that, or it ended well. */
async function stage(isCutOff: boolean) {
  const store = new MemoryStore()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  const values = new Map([['id-map', 'complete']])
  if (isCutOff) values.set(running, String(systemClock.now() - 60_000))
  await store.commit({ values })
  await store.close()
  const channels = new Channels()
  for (const name of ['deleted', 'expired']) channels.heldBy('').set(name, {} as never)
  const held = Promise.withResolvers<void>()
  const connector = ChannelConnector.of({
    channels,
    store,
    ownIds: true,
    defaults: { routes: {}, coalesce: 'latest', concurrency: 1, on: { expired: 'delete' } },
    onCall: (_, { internalId }) => (internalId === 'other' ? held.promise : undefined),
  })
  const expired = (secondsAgo: number) => ({
    valid_until: new Date(systemClock.now() - secondsAgo * 1000).toISOString(),
  })
  // As they come again from the saved position on.
  const ended = [
    live('create', indicator('other', undefined), '1000-0'),
    live('create', indicator('deleted', undefined), '1001-0'),
    live('delete', indicator('deleted', undefined), '1002-0'),
    live('create', indicator('expired', undefined, expired(1)), '1003-0'),
    live('create', indicator('long-expired', undefined, expired(90)), '1004-0'),
  ].map((message) => connector.processMessage(message))
  held.resolve()
  await Promise.all(ended)
  return { channels, connector, store }
}

test('what a run that was cut off may have pushed is withdrawn, though its create comes to nothing now', async () => {
  const { channels, connector, store } = await stage(true)
  expect(channels.linesOf('')).toEqual(['create other', 'delete deleted deleted', 'delete expired expired'])
  // Not all of that run has come again before there is a position beyond it.
  await connector.stop()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  expect(store.value(running)).toBeDefined()
})

test('after a run that ended well, what was never pushed is left alone', async () => {
  const { channels, connector, store } = await stage(false)
  expect(channels.linesOf('')).toEqual(['create other'])
  await connector.stop()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  expect(store.value(running)).toBeUndefined()
})
