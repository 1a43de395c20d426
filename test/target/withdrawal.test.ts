import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import {
  DeadLetters,
  PermanentError,
  SqliteStore,
  StreamConnector,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type FlushOperation,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

/** What the author does not want any more says so in its name. */
const isUnwanted = (entity: Entity) => String((entity as { name?: unknown }).name).startsWith('unwanted')

/** Has at its target what was pushed and not withdrawn, by name. */
class Shelf extends StreamConnector {
  static override readonly defaults = { name: 'Shelf', filter: { types: ['indicator'] } }
  readonly target = new Map<string, string>()
  readonly withdrawn: string[] = []
  refusesDeletes = false

  transform(entity: Entity): Entity | undefined {
    return isUnwanted(entity) ? undefined : entity
  }

  override create(item: Entity): void {
    this.target.set(item.id, String((item as { name?: unknown }).name))
  }

  override update(item: Entity): void {
    this.create(item)
  }

  override delete({ entityId, reason }: EventContext): void {
    if (this.refusesDeletes) throw new PermanentError('locked')
    this.target.delete(entityId)
    this.withdrawn.push(`${entityId} ${reason}`)
  }
}

class BulkShelf extends Shelf {
  static override readonly defaults = { ...Shelf.defaults, batch: { maxWaitMs: 20 } }

  override flush(operations: readonly FlushOperation<Entity>[]): void {
    for (const { kind, item, context } of operations) {
      if (kind === 'delete') this.delete(context)
      else this.create(item!)
    }
  }
}

async function stage() {
  const simulator = await startSimulator()
  const directory = await temporaryFolder()
  const start = async <T extends Shelf>(make: new (options: ConnectorOptions) => T) => {
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
    const shelf = new make({ env: simulator.environment(), directory: tmpdir(), store, clock: fastClock() })
    onTestFinished(() => shelf.stop())
    await shelf.start()
    return { shelf, store }
  }
  return { simulator, start }
}

for (const make of [Shelf, BulkShelf]) {
  test(`${make.name}: withdraws what transform drops, even after a restart, and can bring it back`, async () => {
    const { simulator, start } = await stage()
    const { id } = simulator.create(buildIndicator('domain', { seed: 1, name: 'wanted' }))
    const never = simulator.create(buildIndicator('domain', { seed: 2, name: 'unwanted' }))
    const first = (await start(make)).shelf
    await until('the push', () => first.target.has(id))
    await first.stop()

    const second = (await start(make)).shelf
    simulator.update(never.id, { name: 'unwanted still' })
    simulator.update(id, { name: 'unwanted now' })
    await until('the withdrawal', () => second.withdrawn.length > 0)
    simulator.update(id, { name: 'wanted again' })
    await until('its return', () => second.target.get(id) === 'wanted again')
    expect(second.withdrawn).toEqual([`${id} left-filter`])
    expect([...second.target.keys()]).toEqual([id])
    expect(second.status().deadLettered).toBe(0)
  })
}

test('a withdrawal that failed is a dead letter, and its replay withdraws', async () => {
  const { simulator, start } = await stage()
  const { shelf, store } = await start(Shelf)
  const { id } = simulator.create(buildIndicator('domain', { seed: 1, name: 'wanted' }))
  await until('the push', () => shelf.target.has(id))
  shelf.refusesDeletes = true
  simulator.update(id, { name: 'unwanted' })
  await until('the dead letter', async () => (await store.countDeadLetters()) === 1)
  expect(shelf.target.has(id)).toBe(true)
  shelf.refusesDeletes = false
  await new DeadLetters(store).requestReplay('all')
  await until('its end', async () => (await store.countDeadLetters()) === 0)
  expect(shelf.withdrawn).toEqual([`${id} left-filter`])
  expect(shelf.target.size).toBe(0)
})
