import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { hasRedis } from '../../fixtures/redis-server.ts'
import { until } from '../../fixtures/until.ts'
import { scaled } from '../scale.ts'
import { ClusterStage } from './cluster-stage.ts'

const eventCount = scaled(2000, 20_000)

describe.skipIf(!hasRedis)('copies whose Redis', () => {
  test('loses everything in the middle start over from the position at the platform, and nothing is lost', async () => {
    await using stage = await ClusterStage.start(3)
    const { target, redis } = stage
    await stage.write(eventCount / 2)
    await until('something to be delivered', () => target.missing < stage.backlog, 60_000)
    await redis.command('FLUSHALL')
    await stage.settle(eventCount)
    expect(target.missing, stage.said).toBe(0)
    expect(target.counts.gaps, target.wrong.join('\n')).toBe(0)
    expect(await stage.end(), stage.said).toEqual([0, 0, 0])
  }, 180_000)

  test('is restarted, or away for longer than the lease, pause, and go on in order', async () => {
    await using stage = await ClusterStage.start(3)
    const { target, redis } = stage
    for (const awayMs of [0, 4000]) {
      await stage.write(target.published + eventCount / 4)
      await until('something to be delivered', () => target.missing < stage.backlog, 60_000)
      await redis.end('SIGTERM')
      await sleep(awayMs)
      await redis.restart()
    }
    await stage.settle(eventCount)
    expect(target.missing, stage.said).toBe(0)
    expect(target.counts.gaps, target.wrong.join('\n')).toBe(0)
    expect(stage.said).toContain('Redis')
    expect(await stage.end(), stage.said).toEqual([0, 0, 0])
  }, 180_000)

  test('was killed and has lost its newest data go on with what is there, and nothing is lost', async () => {
    await using stage = await ClusterStage.start(2)
    const { target, redis } = stage
    await stage.write(eventCount / 2)
    await until('something to be delivered', () => target.missing < stage.backlog, 60_000)
    await redis.end('SIGKILL')
    await redis.restart()
    await stage.settle(eventCount)
    expect(target.missing, stage.said).toBe(0)
    expect(target.counts.gaps, target.wrong.join('\n')).toBe(0)
    expect(await stage.end(), stage.said).toEqual([0, 0])
  }, 180_000)
})
