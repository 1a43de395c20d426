import { expect, onTestFinished, test } from 'vitest'
import { DeadLetters, MemoryStore, type Entity } from 'opencti-stream-connector'
import { buildMalware } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { Mirror, Target } from '../fixtures/mirror.ts'
import { caughtUp, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { ChannelConnector, Channels, indicator, live } from '../fixtures/channels.ts'
import { expectBalance } from '../fixtures/expect-balance.ts'

/** A connector on a platform, with one route whose condition is in code that cannot deal with every entity. */
async function stage(isBroken: { value: boolean }) {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const channels = new Channels()
  const when = () => {
    if (isBroken.value) throw new TypeError('cannot read labels')
    return true
  }
  const connector = ChannelConnector.of({
    channels,
    store,
    env: simulator.environment(),
    defaults: { routes: { coded: { when } }, filter: { types: ['indicator'] } },
  })
  await connector.start()
  await caughtUp(connector)
  const replay = async () => {
    const { requested } = await new DeadLetters(store).requestReplay('all')
    expect(requested).toBeGreaterThan(0)
  }
  return { connector, channels, store, replay }
}

test('keeps a dead letter whose route still throws at its replay, says so, and can replay it again', async () => {
  const isBroken = { value: true }
  const { connector, channels, store, replay } = await stage(isBroken)
  await connector.processMessage(live('create', indicator('one', undefined), '1000-0'))
  await connector.processMessage(live('create', indicator('two', undefined), '1001-0'))
  await until('the letters', async () => (await store.countDeadLetters()) === 2)
  await replay()
  const answered = async () => {
    const letters = await store.deadLetters({ limit: 9 })
    return letters.every(({ replay: asked, error }) => asked === undefined && /route .* failed/.test(error))
  }
  await until('the answer', answered)
  expectBalance(connector)
  isBroken.value = false
  await replay()
  await until('the end', async () => (await store.countDeadLetters()) === 0)
  expect(channels.linesOf('coded')).toEqual(['create one', 'create two'])
  expectBalance(connector)
})

test('replays a merge whose route throws for every entity that it touches', async () => {
  const isBroken = { value: false }
  const { connector, channels, store, replay } = await stage(isBroken)
  for (const [index, name] of ['one', 'two', 'three'].entries())
    await connector.processMessage(live('create', indicator(name, undefined), `${1000 + index}-0`))
  isBroken.value = true
  const sources = [indicator('two', undefined), indicator('three', undefined)]
  await connector.processMessage(live('merge', indicator('one', undefined), '2000-0', { sources }))
  await until('the letters', async () => (await store.countDeadLetters()) === 3)
  expectBalance(connector)
  isBroken.value = false
  await replay()
  await until('the end', async () => (await store.countDeadLetters()) === 0)
  expect([...channels.heldBy('coded').keys()]).toEqual(['one'])
  expectBalance(connector)
})

test('keeps a large event whose route throws as a whole', async () => {
  const isBroken = { value: true }
  const { connector, channels, store, replay } = await stage(isBroken)
  const description = 'x'.repeat(2_000_000)
  await connector.processMessage(live('create', indicator('one', undefined, { description }), '1000-0'))
  await until('the letter', async () => (await store.countDeadLetters()) === 1)
  isBroken.value = false
  await replay()
  await until('the end', async () => (await store.countDeadLetters()) === 0)
  expect(channels.linesOf('coded')).toEqual(['create one'])
})

test('a comparison withdraws deleted entities, although a route in code cannot judge them any more', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const target = new Target()
  const when = (entity: Entity) => (entity as unknown as { description: string }).description.length > 0
  class Coded extends Mirror {
    static override readonly defaults = {
      name: 'Coded',
      filter: { types: ['malware'] },
      routes: { coded: { when } },
    }
  }
  const mirror = new Coded({ target, store, env: simulator.environment(), clock: fastClock() })
  onTestFinished(() => mirror.stop())
  const [gone, kept] = [
    buildMalware({ seed: 1, description: 'a' }),
    buildMalware({ seed: 2, description: 'b' }),
  ]
  simulator.create(gone)
  simulator.create(kept)
  await mirror.start()
  await until('both', () => target.ours.length === 2)
  simulator.faults.removeSilently(gone.id)
  expect(await mirror.reconcile({ force: true })).toMatchObject({ gone: 1, withdrawn: 1, failed: 0 })
  expect(target.ours).toEqual([kept.id])
})
