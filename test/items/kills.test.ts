import { expect, test } from 'vitest'
import { MemoryStore } from 'opencti-stream-connector'
import { Life } from '../fixtures/everything-target.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { indicatorWith, ItemTarget, settled, startItemRecorder, wordsOf } from './item-recorder.ts'

const cases = {
  'a delete': { before: 'x y:1', killedAt: 'x', hook: 'delete' },
  'an update': { before: 'x y:1', killedAt: 'x y:2', hook: 'update' },
  'a create': { before: 'x', killedAt: 'x y:1', hook: 'create' },
} as const

for (const [title, { before, killedAt, hook }] of Object.entries(cases)) {
  test(`${title} that a kill left unsaved is repaired when the entity comes again in its former state`, async () => {
    const simulator = await startSimulator()
    const store = new MemoryStore()
    const life = new Life(store)
    const target = new ItemTarget(wordsOf)
    const { id } = simulator.create(indicatorWith(before))
    const first = await startItemRecorder(simulator, target, { store: life.store })
    await settled(simulator, first)
    await until(
      'its last commit',
      async () => (await store.claims({ limit: 10 })).length === before.split(' ').length,
    )
    const held = [...target.held]

    // The target does what it is told, and the connector is killed before it can save that.
    target.onCall = ({ hook: called, key, item }) => {
      if (called !== hook || life.isOver) return
      if (called === 'delete') target.held.delete(key)
      else target.held.set(key, item)
      life.isOver = true
    }
    simulator.update(id, { description: killedAt })
    await until('the kill', () => life.isOver)
    await store.close()
    await first.stop().catch(() => {})
    expect([...target.held]).not.toEqual(held)

    // Meanwhile all is as before, and a catch-up tells nothing of what was between.
    target.onCall = undefined
    simulator.update(id, { description: before })
    simulator.resetState()
    const second = await startItemRecorder(simulator, target, { store })
    await settled(simulator, second)
    expect([...target.held].toSorted()).toEqual(held.toSorted())
    expect(await store.items({ limit: 10 })).toEqual(
      held.map(([key, item]) => ({ key, item: JSON.stringify(item) })),
    )
  })
}
