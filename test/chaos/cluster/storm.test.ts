import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { hasRedis } from '../../fixtures/redis-server.ts'
import { until } from '../../fixtures/until.ts'
import { isFullChaos, scaled } from '../scale.ts'
import { ClusterStage, leaseMs } from './cluster-stage.ts'

const eventCount = scaled(4000, 60_000, 'CLUSTER_EVENTS')
const killCount = scaled(6, 100, 'CLUSTER_KILLS')
const freezeCount = scaled(2, 30, 'CLUSTER_FREEZES')

describe.skipIf(!hasRedis)('three copies on one Redis', () => {
  test(
    `lose nothing and keep the order of each entity when one of them is killed, ${killCount} times in ${eventCount} events`,
    { timeout: 100_000 + killCount * 20_000 },
    async ({ annotate }) => {
      await using stage = await ClusterStage.start(3)
      const { target, random } = stage
      for (let kills = 1; kills <= killCount; kills++) {
        // The rest comes while copies are away.
        await stage.write(Math.round((eventCount * kills) / killCount))
        await until('something to be delivered', () => target.missing < stage.backlog, 60_000)
        await sleep(random() * 1500)
        // Every second time, the copy that reads the stream.
        stage.replace(kills % 2 === 0 ? await stage.leader() : undefined)
      }
      await stage.settle(eventCount)
      await annotate(stage.summary({ kills: killCount }), 'sizes')
      expect(target.wrong, stage.hint).toEqual([])
      expect({ lost: target.missing, ...target.counts }, stage.hint).toMatchObject({
        lost: 0,
        gaps: 0,
        regressions: 0,
      })
      // What was done again is at most what was in flight or unsaved.
      expect(target.counts.duplicates, stage.hint).toBeLessThan(killCount * 200)
      if (isFullChaos) expect(target.longestStallMs, stage.hint).toBeLessThan(leaseMs + 2000)
      expect(await stage.end(), stage.said).toEqual([0, 0, 0])
    },
  )

  test(
    `never take an entity back to an earlier state after one of them was frozen for twice its lease, ${freezeCount} times`,
    { timeout: 100_000 + freezeCount * 20_000 },
    async ({ annotate }) => {
      await using stage = await ClusterStage.start(3)
      const { target, random } = stage
      for (let freezes = 1; freezes <= freezeCount; freezes++) {
        await stage.write(Math.round(((eventCount / 2) * freezes) / freezeCount))
        await until('something to be delivered', () => target.missing < stage.backlog, 60_000)
        await sleep(random() * 1000)
        const copy = stage.copyOf(freezes % 2 === 0 ? await stage.leader() : undefined)
        copy.process.kill('SIGSTOP')
        await sleep(leaseMs * 2)
        target.wakes(copy.name)
        copy.process.kill('SIGCONT')
      }
      await stage.settle(eventCount / 2)
      expect(await stage.end(), stage.said).toEqual([0, 0, 0])
      await annotate(stage.summary({ freezes: freezeCount }), 'sizes')
      expect(target.wrong, stage.hint).toEqual([])
      expect({ lost: target.missing, ...target.counts }, stage.hint).toMatchObject({
        lost: 0,
        gaps: 0,
        regressions: 0,
      })
    },
  )
})
