import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { comparePositions, parsePosition } from 'opencti-stream-connector'
import { platformState } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { scaled } from '../scale.ts'
import { Experiment, patienceMs } from './experiment.ts'
import { type Answer } from './target.ts'

/** A faster clock for connector and platform, so that every time limit would expire sooner. With 1, the machine's clock. */
const factor = scaled(30, 3, 'SLOW_HOOK_CLOCK')
const hookMs = 75_000 / factor

test(
  'waits for a hook that takes 75 s: no position passes it, other entities continue, and it is called once',
  { timeout: hookMs + 60_000 },
  async () => {
    const experiment = await Experiment.start({
      ...(factor > 1 && { clockFactor: factor }),
      platform: { heartbeatMs: 5000 / factor, idleReadMs: 5000 / factor },
    })
    const { simulator, target } = experiment
    const over = new AbortController()
    target.answer = async ([call]): Promise<Answer> => {
      if (call!.name !== 'v15') return 'taken'
      await sleep(hookMs)
      over.abort()
      return 'taken'
    }
    const program = await experiment.connect()
    experiment.publish(30)
    await until('all others', () => target.taken.length >= 28, patienceMs)
    // The next event of its entity waits.
    expect(target.taken.map(({ name }) => name)).not.toContain('v25')
    await experiment.pings(1)
    const slow = parsePosition(simulator.history.find(({ data }) => data['name'] === 'v15')!.id)!
    while (!over.signal.aborted) {
      const { position } = await experiment.readState()
      const known = [position, platformState(simulator)['start_from']].map(String)
      expect(program.process.exitCode, program.said()).toBeNull()
      // It may have ended in the meantime.
      if (over.signal.aborted) break
      for (const each of known) expect(comparePositions(parsePosition(each)!, slow)).toBeLessThan(0)
      await sleep(hookMs / 20)
    }
    await experiment.takenOnce()
    await experiment.end(program)
    expect(target.asked.filter(([call]) => call!.name === 'v15')).toHaveLength(1)
    expect((await experiment.readState()).deadLetters).toEqual([])
  },
)
