import { describe, expect, test } from 'vitest'
import { hasRedis } from '../../fixtures/redis-server.ts'
import { until } from '../../fixtures/until.ts'
import { ClusterStage } from './cluster-stage.ts'

/** Only by hand (see CONTRIBUTING.md): a busy machine says nothing about speed. */
const isAsked = process.env['SCALE_OUT'] !== undefined

const cpuMs = 5
const measuredEvents = 3000

describe.skipIf(!hasRedis || !isAsked)('a hook that costs processor time', () => {
  test(
    `of ${cpuMs} ms reaches 1.7 times as many events with two copies as with one, on two cores`,
    { timeout: 300_000 },
    async ({ annotate }) => {
      const one = await eventsPerSecond(1)
      const two = await eventsPerSecond(2)
      await annotate(JSON.stringify({ one, two, ratio: two / one }))
      expect(two / one).toBeGreaterThanOrEqual(1.7)
    },
  )
})

/** How fast this many copies deliver what is already waiting. */
async function eventsPerSecond(copies: number): Promise<number> {
  await using stage = await ClusterStage.start(copies, { HOOK_CPU_MS: String(cpuMs), HOOK_MS: '0' })
  const { target } = stage
  await until('each copy to have its share', () => stage.owners().then((count) => count === copies), 30_000)
  const beganMs = performance.now()
  // Much faster than they arrive.
  await stage.write(target.published + measuredEvents)
  await until('everything to arrive', () => target.missing === 0, 200_000)
  return Math.round((measuredEvents * 1000) / (performance.now() - beganMs))
}
