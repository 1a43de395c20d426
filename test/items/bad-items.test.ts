import { describe, expect, test } from 'vitest'
import { type Entity, MemoryStore } from 'opencti-stream-connector'
import { startSimulator } from '../fixtures/stage.ts'
import {
  descriptionOf,
  indicatorWith,
  ItemTarget,
  settled,
  startItemRecorder,
  wordsOf,
  type ItemRecorderOptions,
} from './item-recorder.ts'

/** A connector that makes these items of entities that say so, and words of all others. */
async function onStage(
  make: Record<string, (entity: Entity) => unknown> = {},
  options: ItemRecorderOptions = {},
) {
  const simulator = await startSimulator()
  const store = options.store ?? new MemoryStore()
  const target = new ItemTarget((entity) => make[descriptionOf(entity)]?.(entity) ?? wordsOf(entity))
  const recorder = await startItemRecorder(simulator, target, { ...options, store })
  const held = () => [...target.held].toSorted(([one], [other]) => (one < other ? -1 : 1))
  const letters = async () => (await store.deadLetters({ limit: 100 })).map(({ error }) => error)
  return { simulator, store, target, recorder, held, letters, settled: () => settled(simulator, recorder) }
}

const cycle: Record<string, unknown> = { key: 'x' }
cycle['self'] = cycle

class WithGetter {
  get key(): string {
    return 'from-a-getter'
  }
}

describe('an item that cannot be kept', () => {
  const bad: Record<string, [item: unknown, error: RegExp]> = {
    'a BigInt': [{ key: 'x', serial: 1n }, /index 1 cannot be written as JSON/],
    'a cycle': [cycle, /index 1 cannot be written as JSON/],
    'a toJSON that throws': [
      {
        key: 'x',
        toJSON() {
          throw new Error('not now')
        },
      },
      /index 1 cannot be written as JSON/,
    ],
    'a toJSON without a result': [
      { key: 'x', toJSON: () => undefined },
      /index 1 loses its key when written as JSON/,
    ],
    'a toJSON with another key': [
      { key: 'x', toJSON: () => ({ key: 'y' }) },
      /index 1 loses its key when written as JSON/,
    ],
    'a function': [Object.assign(() => 1, { key: 'x' }), /index 1 loses its key when written as JSON/],
    'a key that JSON does not see': [new WithGetter(), /index 1 loses its key when written as JSON/],
    'no key': [{ score: 5 }, /index 1 has no key/],
    'a key that is a number': [{ key: 7 }, /index 1 has no key/],
    nothing: [undefined, /index 1 has no key/],
    'a text': ['x', /index 1 has no key/],
    'an empty key': [{ key: '' }, /index 1 has an empty key/],
    'a key of 10,000 characters': [{ key: 'x'.repeat(10_000) }, /index 1 has a key of 10000 characters/],
    'a control character': [{ key: 'a\u0000b' }, /index 1 has a key with control characters/],
    'a line break of another age': [{ key: 'a\u0085b' }, /index 1 has a key with control characters/],
    'half a character': [{ key: 'a\ud83d' }, /index 1 has a key with control characters or a lone surrogate/],
    'the key of another item': [
      { key: 'good', score: 9 },
      /index 1 has the same key as an earlier one, "good"/,
    ],
  }
  test.for(Object.entries(bad))(
    '%s makes one dead letter that says what is wrong, and the other entities continue',
    async ([, [item, error]]) => {
      const stage = await onStage({ bad: () => [{ key: 'good' }, item] })
      stage.simulator.create(indicatorWith('bad'))
      stage.simulator.create(indicatorWith('fine'))
      await stage.settled()
      const letters = await stage.letters()
      expect(letters).toHaveLength(1)
      expect(letters[0]).toMatch(error)
      expect(letters[0]!.length).toBeLessThan(1000)
      // Of an entity that cannot be understood, nothing is done.
      expect(stage.held()).toEqual([['fine', { key: 'fine' }]])
    },
  )
})

test('hooks get an item as its JSON says it', async () => {
  const stage = await onStage({
    odd: () => [
      { key: 'x', none: undefined, score: Number.NaN, at: new Date(0), z: 1, a: [new Date(0), undefined] },
    ],
  })
  stage.simulator.create(indicatorWith('odd'))
  await stage.settled()
  const at = '1970-01-01T00:00:00.000Z'
  expect(stage.held()).toEqual([['x', { key: 'x', score: null, at, z: 1, a: [at, null] }]])
  // It is the same when it comes again.
  stage.target.takeCalls()
  const entity = stage.simulator.entities().find(({ type }) => type === 'indicator')
  stage.simulator.update(entity!.id, { name: 'renamed' })
  await stage.settled()
  expect(stage.target.told).toEqual([])
})

test('hostile keys and fields are keys and fields like any other', async () => {
  const keys = [
    '__proto__',
    'constructor',
    'toString',
    'a@b',
    'a@',
    '@',
    'item:x',
    'é',
    'e\u0301',
    ' x ',
    'x'.repeat(8192),
  ]
  const fields = JSON.parse('{"__proto__":{"a":1},"constructor":"aaa","toString":1,"valueOf":"x"}') as object
  const stage = await onStage({
    one: () => keys.map((key) => ({ ...fields, key })),
    two: () => keys.map((key) => ({ key })),
  })
  const make = (key: string) => JSON.parse(JSON.stringify({ ...fields, key })) as unknown
  const one = stage.simulator.create(indicatorWith('one'))
  const two = stage.simulator.create(indicatorWith('two'))
  await stage.settled()
  expect(stage.held()).toEqual(keys.toSorted().map((key) => [key, make(key)]))
  stage.simulator.delete(one.id)
  await stage.settled()
  expect(stage.held()).toEqual(keys.toSorted().map((key) => [key, { key }]))
  stage.simulator.delete(two.id)
  await stage.settled()
  expect(stage.held()).toEqual([])
  expect(await stage.letters()).toEqual([])
  expect(await stage.store.items({ limit: 10 })).toEqual([])
  expect(await stage.store.claims({ limit: 10 })).toEqual([])
})

test('a key that ends as the name of a route does is not taken for another at that route', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const target = new ItemTarget(wordsOf)
  const all = simulator.create(indicatorWith('x x@a x@b x@a@b', { labels: ['old'] }))
  const before = await startItemRecorder(simulator, target, { store })
  await settled(simulator, before)
  expect([...target.held.keys()].toSorted()).toEqual(['x', 'x@a', 'x@a@b', 'x@b'])
  await before.stop()
  // The same connector gets routes: what it has without one is withdrawn as its entity changes, and both routes get theirs.
  const defaults = { routes: { a: { labels: { any: ['a'] } }, b: { labels: { any: ['b'] } } } }
  const recorder = await startItemRecorder(simulator, target, { store, defaults })
  const ofA = simulator.create(indicatorWith('x', { labels: ['a'] }))
  const ofB = simulator.create(indicatorWith('x@a x', { labels: ['b'] }))
  await settled(simulator, recorder)
  expect([...target.held.keys()].toSorted()).toEqual(
    ['x', 'x@a', 'x@a@b', 'x@b', 'a: x', 'b: x', 'b: x@a'].toSorted(),
  )
  simulator.delete(all.id)
  await settled(simulator, recorder)
  expect([...target.held.keys()].toSorted()).toEqual(['a: x', 'b: x', 'b: x@a'])
  simulator.delete(ofA.id)
  simulator.delete(ofB.id)
  await settled(simulator, recorder)
  expect([...target.held.keys()]).toEqual([])
  expect(await store.deadLetters({ limit: 10 })).toEqual([])
})

describe('lists and single items', () => {
  test('once there are items with keys, a single item is refused, and the others continue', async () => {
    const stage = await onStage({ single: () => ({ key: 'alone' }), 'no keys': () => [{ score: 1 }] })
    stage.simulator.create(indicatorWith('a b'))
    await stage.settled()
    stage.simulator.create(indicatorWith('single'))
    stage.simulator.create(indicatorWith('no keys'))
    stage.simulator.create(indicatorWith('c'))
    await stage.settled()
    expect(stage.held().map(([key]) => key)).toEqual(['a', 'b', 'c'])
    expect((await stage.letters()).toSorted()).toEqual([
      expect.stringContaining('did not return a list') as string,
      expect.stringContaining('index 0 has no key') as string,
    ])
  })

  test('an entity that the target has as a whole, from before there were keys, is withdrawn as a whole', async () => {
    const stage = await onStage({
      'single one': () => ({ name: 'one' }),
      'single two': () => ({ name: 'two' }),
    })
    stage.target.onCall = ({ hook, key }) => (hook === 'create' ? `id of ${key}` : undefined)
    const one = stage.simulator.create(indicatorWith('single one'))
    const two = stage.simulator.create(indicatorWith('single two'))
    await stage.settled()
    stage.simulator.create(indicatorWith('a'))
    await stage.settled()
    stage.target.takeCalls()
    stage.simulator.delete(one.id)
    stage.simulator.update(two.id, { description: 'a b' })
    await stage.settled()
    expect(stage.target.told.toSorted()).toEqual(
      [`delete whole ${one.id} deleted`, `delete whole ${two.id} changed`, 'create b'].toSorted(),
    )
    expect(stage.held().map(([key]) => key)).toEqual(['a', 'b'])
    expect(await stage.letters()).toEqual([])
  })

  test('without an id map, each event with items becomes a dead letter that names the setting', async () => {
    const stage = await onStage({}, { env: { CONNECTOR_ID_MAP: 'false' } })
    stage.simulator.create(indicatorWith('a'))
    await stage.settled()
    expect(await stage.letters()).toEqual([expect.stringContaining('CONNECTOR_ID_MAP')])
    expect(stage.held()).toEqual([])
  })
})

test('an empty list, null and undefined withdraw all items, for the reason that fits', async () => {
  const stage = await onStage()
  const answers = { null: 'left-filter', undefined: 'left-filter', empty: 'changed' }
  stage.target.makeItems = (entity) => {
    const description = descriptionOf(entity)
    if (description === 'null') return null
    return description === 'undefined' ? undefined : description === 'empty' ? [] : wordsOf(entity)
  }
  for (const [answer, reason] of Object.entries(answers)) {
    const { id } = stage.simulator.create(indicatorWith(`of-${answer}`))
    await stage.settled()
    stage.target.takeCalls()
    stage.simulator.update(id, { description: answer })
    await stage.settled()
    expect(stage.target.told).toEqual([`delete of-${answer} ${reason}`])
  }
  expect(stage.held()).toEqual([])
})
