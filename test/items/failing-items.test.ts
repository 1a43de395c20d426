import { describe, expect, test } from 'vitest'
import { DeadLetters, MemoryStore, PermanentError, SkipEvent, StopConnector } from 'opencti-stream-connector'
import { type Simulator } from 'opencti-stream-connector/testing'
import { errorWithStatus } from '../fixtures/error-with-status.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import {
  indicatorWith,
  type ItemCall,
  type ItemRecorderOptions,
  ItemTarget,
  settled,
  startItemRecorder,
  wordsOf,
} from './item-recorder.ts'

async function onStage(options: ItemRecorderOptions = {}) {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const target = new ItemTarget(wordsOf)
  const recorder = await startItemRecorder(simulator, target, { store, ...options })
  return {
    simulator,
    store,
    target,
    recorder,
    keys: () => [...target.held.keys()].toSorted(),
    letters: () => store.deadLetters({ limit: 100 }),
    settled: () => settled(simulator, recorder),
    /** Creates an entity with these items and waits for its end. */
    create: async (description: string) => {
      const { id } = simulator.create(indicatorWith(description))
      await settled(simulator, recorder)
      target.takeCalls()
      return id
    },
    update: async (id: string, changes: Parameters<Simulator['update']>[1]) => {
      simulator.update(id, changes)
      await settled(simulator, recorder)
    },
  }
}

/** Fails the calls for these keys. */
const failing = (fails: (call: ItemCall) => unknown) => (call: ItemCall) => {
  const error = fails(call)
  if (error !== undefined) throw error
}

describe('poison among good values', () => {
  test('makes one dead letter of an event, delivers the others, and a replay delivers the rest alone', async () => {
    const stage = await onStage()
    stage.target.onCall = failing(({ key }) =>
      key.startsWith('bad') ? new PermanentError('refused') : undefined,
    )
    const description = Array.from({ length: 500 }, (_, index) =>
      index % 100 === 7 ? `bad-${index}` : `good-${index}`,
    )
    stage.simulator.create(indicatorWith(description.join(' ')))
    await stage.settled()
    expect(stage.keys()).toHaveLength(495)
    const [letter, ...others] = await stage.letters()
    expect(others).toEqual([])
    expect(letter!.error).toBe('5 of 500 items failed. bad-7: refused')
    expect(stage.recorder.status()).toMatchObject({ delivered: 0, deadLettered: 1 })

    stage.target.takeCalls()
    stage.target.onCall = undefined
    await new DeadLetters(stage.store).requestReplay('all')
    await until('the replay', async () => (await stage.letters()).length === 0)
    expect(stage.target.told.toSorted()).toEqual(
      description
        .filter((key) => key.startsWith('bad'))
        .map((key) => `create ${key}`)
        .toSorted(),
    )
    expect(stage.keys()).toHaveLength(500)
  })

  test('leaves an entity that expires, leaves the filter or is deleted without a trace', async () => {
    const stage = await onStage({
      env: { CONNECTOR_FILTER_LABELS_NONE: 'no' },
      defaults: { on: { expired: 'delete', expiryTimer: true } },
    })
    stage.target.onCall = failing(({ key }) =>
      key.startsWith('bad') ? new PermanentError('refused') : undefined,
    )
    const inAMoment = new Date(Date.now() + 1500).toISOString()
    stage.simulator.create(indicatorWith('a bad-a', { valid_until: inAMoment }))
    const leaving = stage.simulator.create(indicatorWith('b bad-b'))
    const deleted = stage.simulator.create(indicatorWith('c bad-c'))
    await stage.settled()
    expect(stage.recorder.status().deadLettered).toBe(3)
    stage.target.takeCalls()
    stage.simulator.update(leaving.id, { labels: ['no'] })
    stage.simulator.delete(deleted.id)
    await until('the end of all items', () => stage.target.held.size === 0)
    expect(stage.target.told.toSorted()).toEqual([
      'delete a expired',
      'delete b left-filter',
      'delete c deleted',
    ])
  })

  test('an error does not repeat a long key', async () => {
    const stage = await onStage()
    stage.target.onCall = failing(() => new PermanentError('refused'))
    stage.simulator.create(indicatorWith('x'.repeat(8000)))
    await stage.settled()
    const [letter] = await stage.letters()
    expect(letter!.error.length).toBeLessThan(300)
  })
})

test('a delete with a failing item is one dead letter, and its replay deletes the rest', async () => {
  const stage = await onStage()
  const id = await stage.create('a b c')
  stage.target.onCall = failing(({ key }) => (key === 'b' ? new PermanentError('in use') : undefined))
  stage.simulator.delete(id)
  await stage.settled()
  expect(stage.keys()).toEqual(['b'])
  expect(await stage.letters()).toMatchObject([
    { eventType: 'delete', error: '1 of 3 items failed. b: in use' },
  ])
  // Whoever claims it meanwhile keeps it.
  const other = await stage.create('b:5')
  stage.target.onCall = undefined
  await new DeadLetters(stage.store).requestReplay('all')
  await until('the replay', async () => (await stage.letters()).length === 0)
  expect(stage.keys()).toEqual(['b'])
  stage.simulator.delete(other)
  await stage.settled()
  expect(stage.keys()).toEqual([])
  expect(await stage.store.claims({ limit: 10 })).toEqual([])
  expect(await stage.store.items({ limit: 10 })).toEqual([])
})

describe('what a hook throws for one item', () => {
  test('SkipEvent leaves that item as it is, and the others are delivered', async () => {
    const stage = await onStage()
    stage.target.onCall = failing(({ key }) => (key === 'b' ? new SkipEvent('not this one') : undefined))
    const id = await stage.create('a b c')
    expect(stage.keys()).toEqual(['a', 'c'])
    expect(await stage.letters()).toEqual([])
    // It was never there, and so it need not go.
    stage.simulator.delete(id)
    await stage.settled()
    expect(stage.target.told.toSorted()).toEqual(['delete a deleted', 'delete c deleted'])
  })

  test('SkipEvent in delete leaves the item there, and the next who claims it tells the target what it is', async () => {
    const stage = await onStage()
    const id = await stage.create('a:90')
    stage.target.onCall = failing(({ hook }) => (hook === 'delete' ? new SkipEvent('stays') : undefined))
    stage.simulator.delete(id)
    await stage.settled()
    expect(stage.keys()).toEqual(['a'])
    await stage.create('a:10')
    expect(stage.target.held.get('a')).toEqual({ key: 'a', score: 10 })
  })

  test('404, 409, 429 and 500 mean for an item what they mean for an entity', async () => {
    const stage = await onStage()
    const id = await stage.create('gone:1 taken:1 busy:1 broken:1')
    const failed = new Set<string>()
    const statuses: Record<string, number> = {
      'update gone': 404,
      'create new': 409,
      'update busy': 429,
      'update broken': 500,
      'delete taken': 404,
    }
    stage.target.onCall = failing(({ hook, key }) => {
      const status = statuses[`${hook} ${key}`]
      if (status === undefined || failed.has(key)) return undefined
      failed.add(key)
      return errorWithStatus(status)
    })
    await stage.update(id, { description: 'gone:2 busy:2 broken:2 new:2' })
    expect([...stage.target.held].toSorted()).toEqual(
      expect.arrayContaining(['broken', 'busy', 'gone', 'new'].map((key) => [key, { key, score: 2 }])),
    )
    const told = (key: string) => stage.target.told.filter((each) => each.split(' ')[1] === key)
    expect(told('gone')).toEqual(['update gone', 'create gone'])
    expect(told('new')).toEqual(['create new', 'update new'])
    expect(told('busy')).toEqual(['update busy', 'update busy'])
    expect(told('broken')).toEqual(['update broken', 'update broken'])
    expect(told('taken')).toEqual(['delete taken changed'])
    expect(await stage.letters()).toEqual([])
    expect((await stage.store.items({ limit: 10 })).map(({ key }) => key)).toEqual([
      'broken',
      'busy',
      'gone',
      'new',
    ])
  })

  test('StopConnector stops the connector, and the next start finishes what is left', async () => {
    const stage = await onStage()
    stage.target.onCall = failing(({ key }) => (key === 'b' ? new StopConnector('enough') : undefined))
    stage.simulator.create(indicatorWith('a b c'))
    await stage.recorder.finished.catch(() => {})
    expect(stage.keys()).not.toContain('b')
    stage.target.onCall = undefined
    const again = await startItemRecorder(stage.simulator, stage.target, { store: stage.store })
    await settled(stage.simulator, again)
    expect(stage.keys()).toEqual(['a', 'b', 'c'])
    expect(await stage.letters()).toEqual([])
  })

  test('a hook that does not end in time is tried again, and the other items go on', async () => {
    const stage = await onStage({ env: { CONNECTOR_HOOK_TIMEOUT_MS: '1000' }, defaults: { concurrency: 2 } })
    let hangs = 0
    stage.target.onCall = ({ key, signal }) => {
      if (key !== 'b' || ++hangs > 1) return
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    }
    stage.simulator.create(indicatorWith('a b c d e f'))
    await stage.settled()
    expect(stage.keys()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(hangs).toBe(2)
    expect(await stage.letters()).toEqual([])
  })
})

test('an item goes for the reason for which its entity goes', async () => {
  const stage = await onStage({ env: { CONNECTOR_FILTER_LABELS_NONE: 'no' } })
  const [revoked, left, deleted, source, goal, changed] = [
    await stage.create('revoked'),
    await stage.create('left'),
    await stage.create('deleted'),
    await stage.create('source'),
    await stage.create('goal'),
    await stage.create('changed kept'),
  ]
  stage.simulator.update(revoked!, { revoked: true })
  stage.simulator.update(left!, { labels: ['no'] })
  stage.simulator.delete(deleted!)
  stage.simulator.merge(goal!, [source!])
  stage.simulator.update(changed!, { description: 'kept' })
  await stage.settled()
  expect(stage.target.told.toSorted()).toEqual([
    'delete changed changed',
    'delete deleted deleted',
    'delete left left-filter',
    'delete revoked revoked',
    'delete source merged',
  ])
})

test('a new version of the author’s code withdraws the former keys of an entity with its next event', async () => {
  const stage = await onStage()
  const id = await stage.create('a b')
  await stage.recorder.stop()
  stage.target.makeItems = (entity) => wordsOf(entity).map(({ key }) => ({ key: `v2:${key}` }))
  const recorder = await startItemRecorder(stage.simulator, stage.target, { store: stage.store })
  stage.simulator.update(id, { name: 'renamed' })
  await settled(stage.simulator, recorder)
  expect(stage.keys()).toEqual(['v2:a', 'v2:b'])
  expect(stage.target.told.toSorted()).toEqual([
    'create v2:a',
    'create v2:b',
    'delete a changed',
    'delete b changed',
  ])
})

describe('keys that differ only in case', () => {
  test('are two items, and one that the target keeps under one id stays until both are gone', async () => {
    const stage = await onStage()
    const ids = new Map<string, string>()
    stage.target.onCall = ({ hook, key, externalId }) => {
      const folded = key.toLowerCase()
      if (hook === 'create') {
        const id = ids.get(folded) ?? `id-${ids.size}`
        ids.set(folded, id)
        return id
      }
      if (hook === 'delete') for (const [each, id] of ids) if (id === externalId) ids.delete(each)
      return undefined
    }
    const one = await stage.create('Evil.example')
    const other = await stage.create('evil.example')
    expect(ids.size).toBe(1)
    stage.simulator.delete(one)
    await stage.settled()
    expect([...ids.keys()]).toEqual(['evil.example'])
    stage.simulator.delete(other)
    await stage.settled()
    expect(ids.size).toBe(0)
  })

  test('are one item if the author gives them one key, in any order', async () => {
    const stage = await onStage()
    stage.target.makeItems = (entity) =>
      wordsOf(entity).map(({ key, score }) => ({ key: key.toLowerCase(), score }))
    const one = await stage.create('Evil.example:90')
    const other = await stage.create('evil.example:10')
    expect([...stage.target.held.values()]).toEqual([{ key: 'evil.example', score: 90 }])
    stage.simulator.delete(one)
    await stage.settled()
    expect([...stage.target.held.values()]).toEqual([{ key: 'evil.example', score: 10 }])
    stage.simulator.delete(other)
    await stage.settled()
    expect(stage.keys()).toEqual([])
  })
})
