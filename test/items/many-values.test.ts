import { expect, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { scaled } from '../chaos/scale.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { until } from '../fixtures/until.ts'
import { descriptionOf, indicatorWith, ItemTarget, settled, startItemRecorder } from './item-recorder.ts'

const limitMs = 240_000
const valueCount = scaled(5000, 100_000, 'VALUE_COUNT')
const claimCount = scaled(500, 3000, 'CLAIM_COUNT')

/** Values `v0` to `v<count - 1>`, with a score of their own for those that the description names: `20000 7:90`. */
function countedValues(description: string) {
  const [count, ...scores] = description.split(' ')
  const own = new Map(scores.map((each) => each.split(':').map(Number) as [number, number]))
  return Array.from({ length: Number(count) }, (_, index) => ({
    key: `v${index}`,
    score: own.get(index) ?? 50,
  }))
}

test(
  `an entity of ${valueCount} values is stopped and begun again in the middle, changed in one call, and taken away`,
  { timeout: 300_000 },
  async () => {
    const simulator = await startSimulator()
    const directory = await temporaryFolder()
    const open = () => new SqliteStore({ directory, connectorId: simulator.connectorId })
    const target = new ItemTarget((entity) => countedValues(descriptionOf(entity)))
    const middle = Math.round(valueCount * 0.3)
    let left = middle
    target.onCall = ({ signal }) => {
      if (left-- > 0) return
      // The target has gone quiet: the connector is stopped while a thousand items wait.
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      )
    }
    const { id } = simulator.create(indicatorWith(`${valueCount}`))
    const first = await startItemRecorder(simulator, target, {
      store: open(),
      env: { CONNECTOR_STOP_GRACE_MS: '1000' },
    })
    await until('the middle', () => left < 0, limitMs)
    await first.stop()
    expect(target.held.size).toBe(middle)

    const heapBefore = process.memoryUsage().heapUsed
    let peak = 0
    target.calls.length = 0
    target.onCall = () => {
      if (target.calls.length % 1000 === 0) peak = Math.max(peak, process.memoryUsage().heapUsed - heapBefore)
    }
    const second = await startItemRecorder(simulator, target, { store: open() })
    await settled(simulator, second, limitMs)
    expect(target.held.size).toBe(valueCount)
    // Only what was under way is told again.
    expect(target.calls.length).toBeLessThanOrEqual(valueCount - middle + 8)
    expect(peak / 1e6).toBeLessThan(500)

    target.takeCalls()
    simulator.update(id, { description: `${valueCount} 7:90` })
    await settled(simulator, second, limitMs)
    expect(target.takeCalls()).toEqual(['update v7'])
    simulator.delete(id)
    await settled(simulator, second, limitMs)
    expect(target.takeCalls()).toHaveLength(valueCount)
    expect(target.held.size).toBe(0)
    expect(second.status()).toMatchObject({ deadLettered: 0, inFlight: 0 })
  },
)

test(
  `a key that ${claimCount} entities claim is told when it changes, and goes with the last of them`,
  { timeout: 300_000 },
  async () => {
    const simulator = await startSimulator()
    const store = new SqliteStore({ directory: await temporaryFolder(), connectorId: simulator.connectorId })
    const target = new ItemTarget((entity) => {
      const [score, label] = descriptionOf(entity).split(' ')
      return [{ key: 'shared', score: Number(score), labels: [label] }]
    })
    const ids = Array.from(
      { length: claimCount },
      (_, index) => simulator.create(indicatorWith(`${index % 90} l${index % 40}`)).id,
    )
    const recorder = await startItemRecorder(simulator, target, { store })
    await settled(simulator, recorder, limitMs)
    const labels = Array.from({ length: 40 }, (_, index) => `l${index}`).toSorted()
    expect([...target.held.values()]).toEqual([{ key: 'shared', score: 89, labels }])
    expect(target.takeCalls().length).toBeLessThan(150)
    for (const id of ids) simulator.update(id, { description: '10 l1' })
    await settled(simulator, recorder, limitMs)
    expect([...target.held.values()]).toEqual([{ key: 'shared', score: 10, labels: ['l1'] }])
    for (const id of ids) simulator.delete(id)
    await settled(simulator, recorder, limitMs)
    expect(target.held.size).toBe(0)
    expect(await store.claims({ limit: 1 })).toEqual([])
  },
)
