import { expect, test } from 'vitest'
import { comparePositions, parsePosition } from 'opencti-stream-connector'
import { platformState } from '../../fixtures/stage.ts'
import { Experiment, timeout } from './experiment.ts'

test(
  'SIGTERM after 178 events exits with code 0, and the next start continues without repeating any',
  { timeout },
  async () => {
    const experiment = await Experiment.start()
    const first = await experiment.connect()
    experiment.publish(178)
    await experiment.takenOnce()
    experiment.publish(61)
    await experiment.end(first)
    experiment.publish(61)
    const second = experiment.run()
    await experiment.takenOnce()
    await experiment.end(second)
  },
)

test(
  'no position passes a waiting batch of 1,000 events, and a kill in between loses and duplicates nothing',
  { timeout },
  async () => {
    const experiment = await Experiment.start({
      hooks: 'flush',
      entities: 2000,
      // Ten minutes, so that no limit expires while the clock is fast.
      environment: { CONNECTOR_BATCH_MAX_ITEMS: '1000', CONNECTOR_BATCH_MAX_WAIT_MS: '600000' },
      clockFactor: 20,
    })
    const { simulator, target } = experiment
    const first = experiment.run()
    experiment.publish(1000)
    await experiment.taken(1000)
    const last = parsePosition(simulator.lastEventId)!
    experiment.publish(788)
    await experiment.heartbeats(788 + 10)
    await experiment.pings(2)
    first.process.kill('SIGKILL')
    await first.exit
    expect(target.taken).toHaveLength(1000)
    const { position } = await experiment.readState()
    for (const known of [position, platformState(simulator)['start_from']])
      expect(comparePositions(parsePosition(String(known))!, last)).toBeLessThanOrEqual(0)

    const second = experiment.run()
    experiment.publish(212)
    await experiment.takenOnce()
    await experiment.end(second)
  },
)
