import { tmpdir } from 'node:os'
import { MemoryStore, PermanentError, RetryableError, StreamConnector } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'

class Failing extends StreamConnector {
  static override readonly defaults = { name: 'Failing', concurrency: 16, filter: { types: ['indicator'] } }
  isDown = false
  created = 0

  transform(entity: { id: string }) {
    return { id: entity.id } as never
  }

  override create(item: { id: string }): void {
    if (this.isDown) throw new RetryableError(`no answer for ${item.id}`)
    // Were all of them refused, it would pause.
    if (this.created++ % 11 === 10) return
    throw new PermanentError(`refused ${item.id}`)
  }
}

interface Line {
  level: string
  message: string
}

async function failing() {
  const simulator = await startSimulator()
  const written: string[] = []
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.push(String(text))
    return true
  })
  onTestFinished(() => write.mockRestore())
  const connector = new Failing({
    env: { ...simulator.environment(), CONNECTOR_LOG_LEVEL: 'warn' },
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    random: () => 0.5,
  })
  onTestFinished(() => connector.stop())
  const lines = () => written.map((text) => JSON.parse(text) as Line)
  return { simulator, connector, lines }
}

test('summarizes a thousand dead letters in a few lines, and counts all', async () => {
  const { simulator, connector, lines } = await failing()
  await connector.start()
  for (let seed = 1; seed <= 1100; seed++) simulator.create(buildIndicator('sha256', { seed }))
  await until('all of them', () => connector.status().deadLettered === 1000)
  await connector.stop()
  const about = lines().filter(({ message }) => message.startsWith('Event saved to dead letter queue'))
  const counted = about.reduce(
    (sum, { message }) => sum + Number(/… and (\d+) more/.exec(message)?.[1] ?? 1),
    0,
  )
  expect(counted).toBe(1000)
  expect(about.length).toBeLessThan(100)
})

test('reports a target that stays down once, not for each event or probe', async () => {
  const { simulator, connector, lines } = await failing()
  connector.isDown = true
  await connector.start()
  for (let seed = 1; seed <= 500; seed++) simulator.create(buildIndicator('sha256', { seed }))
  await until('an outage', () => connector.status().outage)
  const before = connector.status().retries
  await until('some probes', () => connector.status().retries > before + 3)
  expect(connector.status().deadLettered).toBe(0)
  expect(lines().filter(({ level }) => level === 'ERROR')).toHaveLength(1)
  expect(lines().length).toBeLessThan(10)
})
