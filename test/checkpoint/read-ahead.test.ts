import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { StateError } from '../../src/errors/state-error.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type EntityRecord, type StateChanges } from '../../src/store/state-store.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { delay } from '../../src/util/delay.ts'

const recordOf = (key: string, version: number): EntityRecord => ({
  key,
  stixId: `indicator--${key}`,
  externalId: String(version),
  position: `${version}-0`,
})

/** Counts its answers, commits slowly, and cannot read damaged records. */
class WatchedStore extends MemoryStore {
  readonly damaged = new Set<string>()
  single = 0
  together = 0
  readonly #clock: ManualClock

  constructor(clock: ManualClock) {
    super()
    this.#clock = clock
  }

  override entity(key: string): EntityRecord | undefined {
    this.single++
    if (this.damaged.has(key)) throw new StateError('STATE_CORRUPT', 'a page is damaged')
    return super.entity(key)
  }

  override entitiesOf(keys: readonly string[]): readonly (EntityRecord | undefined)[] {
    this.together++
    if (keys.some((key) => this.damaged.has(key))) throw new StateError('STATE_CORRUPT', 'a page is damaged')
    return super.entitiesOf(keys)
  }

  override async commit(changes: StateChanges): Promise<void> {
    await delay(this.#clock, 50)
    await super.commit(changes)
  }
}

async function checkpointerOver(keys: readonly string[]) {
  const clock = new ManualClock()
  const store = new WatchedStore(clock)
  await store.open('reads-ahead')
  const written = store.commit({ putEntities: keys.map((key) => recordOf(key, 1)) })
  await clock.advance(50)
  await written
  const checkpointer = new Checkpointer({ store, clock, random: () => 0.5, onNotice: () => {} })
  return { clock, store, checkpointer }
}

const names = Array.from({ length: 200 }, (_, index) => `entity-${index}`)

test('the records of queued events are read with one query per hundred', async () => {
  const { store, checkpointer } = await checkpointerOver(names.slice(0, 150))
  for (const name of names) checkpointer.state.expect(name)
  for (const [index, name] of names.entries()) {
    expect(checkpointer.state.entity(name)).toEqual(index < 150 ? recordOf(name, 1) : undefined)
  }
  expect([store.together, store.single]).toEqual([2, 0])
})

test('one damaged page holds up only the entities on it', async () => {
  const { store, checkpointer } = await checkpointerOver(names)
  store.damaged.add(names[3]!)
  for (const name of names.slice(0, 10)) checkpointer.state.expect(name)
  for (const [index, name] of names.slice(0, 10).entries()) {
    if (index === 3) expect(() => checkpointer.state.entity(name)).toThrow(StateError)
    else expect(checkpointer.state.entity(name)).toEqual(recordOf(name, 1))
  }
  expect(checkpointer.state.problem).toBeInstanceOf(StateError)
})

test('a key that a store may return differently is read alone', async () => {
  const odd = ['nul\0', 'half \uD800', 'space ', 'é']
  const { store, checkpointer } = await checkpointerOver(odd)
  for (const name of [...odd, ...names]) checkpointer.state.expect(name)
  for (const name of odd) expect(checkpointer.state.entity(name)).toEqual(recordOf(name, 1))
  expect([store.together, store.single]).toEqual([0, odd.length])
})

test('what was read ahead is never older than what was written since, in any order of events, commits, and resets', async () => {
  const key = fc.constantFrom(...names.slice(0, 8))
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.array(key, { maxLength: 8 }).map((keys) => ({ kind: 'expect' as const, keys })),
    },
    { weight: 4, arbitrary: key.map((name) => ({ kind: 'read' as const, name })) },
    { weight: 2, arbitrary: key.map((name) => ({ kind: 'put' as const, name })) },
    { weight: 1, arbitrary: key.map((name) => ({ kind: 'delete' as const, name })) },
    { weight: 2, arbitrary: fc.constantFrom(10, 60, 200).map((ms) => ({ kind: 'advance' as const, ms })) },
    { weight: 1, arbitrary: fc.constant({ kind: 'reset' as const }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const present = names.slice(0, 5)
      const { clock, checkpointer } = await checkpointerOver(present)
      const model = new Map(present.map((name) => [name, recordOf(name, 1)]))
      // The first read asks whether the store is empty, and is answered.
      checkpointer.state.entity(present[0]!)
      await clock.advance(0)
      let version = 1
      for (const next of steps) {
        if (next.kind === 'expect') for (const name of next.keys) checkpointer.state.expect(name)
        if (next.kind === 'read') expect(checkpointer.state.entity(next.name)).toEqual(model.get(next.name))
        if (next.kind === 'put') {
          const record = recordOf(next.name, ++version)
          checkpointer.putEntity(record)
          model.set(next.name, record)
        }
        if (next.kind === 'delete') {
          checkpointer.deleteEntity(next.name)
          model.delete(next.name)
        }
        if (next.kind === 'advance') await clock.advance(next.ms)
        if (next.kind === 'reset') {
          const reset = checkpointer.forgetPositions()
          // It waits for a commit that is under way.
          await clock.advance(50)
          for (const [name, { position: _, ...record }] of model) model.set(name, record)
          await clock.advance(200)
          await reset
        }
      }
      for (const name of names.slice(0, 8)) expect(checkpointer.state.entity(name)).toEqual(model.get(name))
      checkpointer.stop()
    }),
    { numRuns: 300 },
  )
})
