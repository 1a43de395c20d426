import { expect, test } from 'vitest'
import { ChannelConnector, Channels, indicator, live } from '../fixtures/channels.ts'

test('messages end when they are done, whatever else the connector is doing', async () => {
  const held = Promise.withResolvers<void>()
  const channels = new Channels()
  const connector = ChannelConnector.of({
    channels,
    defaults: { routes: {} },
    onCall: (_, { internalId }) => (internalId === 'other' ? held.promise : undefined),
  })
  const other = connector.processMessage(live('create', indicator('other', undefined), '1000-0'))
  const messages = ['one', 'two', 'one'].map((name, index) =>
    live(index === 2 ? 'update' : 'create', indicator(name, undefined), `${2000 + index}-0`),
  )
  await connector.processMessages(messages)
  expect(channels.linesOf('')).toEqual(['create one', 'create two', 'update one'])
  await connector.processMessages([])
  held.resolve()
  expect(await other).toEqual({ kind: 'delivered' })
})
