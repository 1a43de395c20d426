import { describe, expect, test } from 'vitest'
import { MemoryStore, systemClock } from 'opencti-stream-connector'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { movableClock } from '../fixtures/everything-target.ts'
import { ChannelConnector, Channels, indicator, live } from '../fixtures/channels.ts'

const running = 'running-since'

/** A connector whose last run pushed two entities; it was killed before it remembered that, or it ended well. */
async function stage(isCutOff: boolean, messages: readonly ReturnType<typeof live>[] = asBefore()) {
  const store = new MemoryStore()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  const values = new Map([['id-map', 'complete']])
  if (isCutOff) values.set(running, String(systemClock.now() - 60_000))
  await store.commit({ values })
  await store.close()
  const channels = new Channels()
  const clock = movableClock()
  for (const name of ['deleted', 'expired', 'found', 'late']) channels.heldBy('').set(name, {} as never)
  const held = Promise.withResolvers<void>()
  const connector = ChannelConnector.of({
    channels,
    store,
    clock,
    ownIds: true,
    defaults: {
      routes: {},
      coalesce: 'latest',
      concurrency: 1,
      on: { expired: 'delete' },
      filter: { labels: { none: ['unwanted'] } },
    },
    onCall: (_, { internalId }) => (internalId === 'other' ? held.promise : undefined),
  })
  const ended = messages.map((message) => connector.processMessage(message))
  held.resolve()
  await Promise.all(ended)
  return { channels, connector, store, clock }
}

/** Events as they come again from the saved position on. */
function asBefore() {
  const expired = (secondsAgo: number) => ({
    valid_until: new Date(systemClock.now() - secondsAgo * 1000).toISOString(),
  })
  return [
    live('create', indicator('other', undefined), '1000-0'),
    live('create', indicator('deleted', undefined), '1001-0'),
    live('delete', indicator('deleted', undefined), '1002-0'),
    live('create', indicator('expired', undefined, expired(1)), '1003-0'),
    live('create', indicator('long-expired', undefined, expired(90)), '1004-0'),
  ]
}

test('withdraws what a killed run may have pushed, even if its create now has no effect', async () => {
  const { channels, connector, store } = await stage(true)
  expect(channels.linesOf('')).toEqual(['create other', 'delete deleted deleted', 'delete expired expired'])
  // Not all of that run has come again before there is a position beyond it.
  await connector.stop()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  expect(store.value(running)).toBeDefined()
})

test('leaves alone what was never pushed, after a run that ended cleanly', async () => {
  const { channels, connector, store } = await stage(false)
  expect(channels.linesOf('')).toEqual(['create other'])
  await connector.stop()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  expect(store.value(running)).toBeUndefined()
})

describe('an entity that a killed run may have seen, in a catch-up or as a dependency', () => {
  const secondsAgo = (seconds: number) => `${systemClock.now() - seconds * 1000}-0`
  const found = indicator('found', undefined)

  test('is withdrawn if it was deleted since, although nothing mentions its creation', async () => {
    const { channels } = await stage(true, [live('delete', found, secondsAgo(30))])
    expect(channels.linesOf('')).toEqual(['delete found deleted'])
  })

  test('is withdrawn if it was merged away since', async () => {
    const target = indicator('target', undefined)
    const { channels } = await stage(true, [live('merge', target, secondsAgo(30), { sources: [found] })])
    expect(channels.linesOf('')).toContain('delete found merged')
  })

  test('is withdrawn if it left the filter since, by its patch or its current state', async () => {
    const context = { reverse_patch: [{ op: 'replace', path: '/labels', value: ['wanted'] }] }
    const left = { ...found, labels: ['unwanted'] }
    const { channels } = await stage(true, [live('update', left, secondsAgo(30), context)])
    expect(channels.linesOf('')).toEqual(['delete found left-filter'])
  })

  test('is withdrawn even if it went before this run reached the present, and left alone from then on', async () => {
    const { channels, connector, clock } = await stage(true, [
      live('create', indicator('other', undefined), secondsAgo(30)),
    ])
    clock.aheadMs = 600_000
    await connector.processMessage(live('delete', found, secondsAgo(-300)))
    clock.aheadMs = 1_200_000
    await connector.processMessage(live('delete', indicator('late', undefined), secondsAgo(-900)))
    expect(channels.linesOf('')).toEqual(['create other', 'delete found deleted'])
  })

  test('is left alone if it was gone before that run began, or after it is known what was pushed', async () => {
    const { channels } = await stage(true, [
      live('delete', found, secondsAgo(3600)),
      live('delete', found, secondsAgo(-30)),
    ])
    expect(channels.linesOf('')).toEqual([])
  })

  test('is left alone if that run ended cleanly', async () => {
    const { channels } = await stage(false, [live('delete', found, secondsAgo(30))])
    expect(channels.linesOf('')).toEqual([])
  })
})
