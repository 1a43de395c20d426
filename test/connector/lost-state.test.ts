import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  nameOf,
  StreamConnector,
  type Entity,
  type EventContext,
} from 'opencti-stream-connector'
import { buildIndicator, type Simulator, type StixChanges } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { caughtUp, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** Has at its target, under the ids of the platform, what was pushed and not withdrawn. */
class Shelf extends StreamConnector {
  static override readonly defaults = {
    name: 'Shelf',
    filter: { types: ['indicator'], minScore: 50 },
    on: { expired: 'delete' },
  } as const
  target = new Map<string, string | undefined>()
  readonly deletes: string[] = []

  transform(entity: Entity): Entity {
    return entity
  }
  override create(item: Entity): void {
    this.target.set(item.id, nameOf(item))
  }
  override update(item: Entity): void {
    this.create(item)
  }
  override delete({ entityId, reason }: EventContext): void {
    this.deletes.push(`${entityId} ${reason}`)
    if (!this.target.delete(entityId)) throw Object.assign(new Error('not found'), { status: 404 })
  }
}

async function live(simulator: Simulator, target = new Map<string, string | undefined>()) {
  const store = new MemoryStore()
  const shelf = new Shelf({ env: simulator.environment(), directory: tmpdir(), store, clock: fastClock() })
  shelf.target = target
  onTestFinished(() => shelf.stop())
  await shelf.start()
  return shelf
}

/** A platform, and the target that a connector has left behind, whose state is lost. */
async function abandoned(changes: readonly StixChanges[] = []) {
  const simulator = await startSimulator()
  const ids = [{}, ...changes].map(
    (change, seed) => simulator.create(buildIndicator('domain', { seed, x_opencti_score: 80, ...change })).id,
  )
  const shelf = await live(simulator)
  await caughtUp(shelf)
  await passed(simulator, shelf)
  await shelf.stop()
  return { simulator, id: ids[0]!, ids, target: shelf.target }
}

let seed = 100

/** Waits until the connector has passed everything that has happened. */
async function passed(simulator: Simulator, shelf: Shelf) {
  const { id } = simulator.create(buildIndicator('domain', { seed: ++seed, x_opencti_score: 80 }))
  await until('an event after all others', () => shelf.target.has(id))
}

const past = new Date(Date.now() - 60_000).toISOString()
const endings: [string, StixChanges, string][] = [
  ['is revoked', { revoked: true }, 'revoked'],
  ['expires', { valid_until: past }, 'expired'],
  ["leaves the connector's filter", { x_opencti_score: 10 }, 'left-filter'],
]

test.each(endings)('withdraws what an earlier life has pushed when it %s', async (_, change, reason) => {
  const { simulator, id, target } = await abandoned()
  const shelf = await live(simulator, target)
  simulator.update(id, change)
  await until('the withdrawal', () => !target.has(id))
  expect(shelf.deletes).toEqual([`${id} ${reason}`])
})

test.each(endings)(
  'withdraws what %s while nobody watches, and nothing tells how it was',
  async (_, change, reason) => {
    const { simulator, id, target } = await abandoned()
    simulator.update(id, change)
    const other = simulator.create(buildIndicator('domain', { seed: 50, x_opencti_score: 80 }))
    // A catch-up tells what there is instead.
    simulator.faults.trimHistory(1)
    const shelf = await live(simulator, target)
    await until('the catch-up', () => target.has(other.id))
    await until('the withdrawal', () => !target.has(id))
    expect(shelf.deletes).toEqual([`${id} ${reason}`])
  },
)

test('does not ask the target to remove what it cannot have had', async () => {
  const { simulator, ids, target } = await abandoned([
    { x_opencti_score: 10 },
    { revoked: true },
    { valid_until: past },
  ])
  const shelf = await live(simulator, target)
  const [, low, revoked] = ids
  simulator.update(low!, { description: 'Still low' })
  simulator.update(revoked!, { description: 'Still revoked' })
  simulator.create(buildIndicator('domain', { seed: 60, revoked: true }))
  simulator.create(buildIndicator('domain', { seed: 61, x_opencti_score: 10 }))
  await passed(simulator, shelf)
  expect(shelf.deletes).toEqual([])
})

test('asks for nothing on the first start, when there was no earlier life', async () => {
  const simulator = await startSimulator()
  endings.map(([, change], seed) =>
    simulator.create(buildIndicator('domain', { seed, x_opencti_score: 80, ...change })),
  )
  const shelf = await live(simulator)
  await passed(simulator, shelf)
  expect(shelf.deletes).toEqual([])
})
