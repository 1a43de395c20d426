import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Simulator } from 'opencti-stream-connector/testing'
import { streamRequests } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { Experiment, outage, patienceMs, timeout } from './experiment.ts'

const cuts: Record<string, (simulator: Simulator) => void> = {
  cleanly: (simulator) => simulator.faults.end(),
  'in the middle of a frame': (simulator) => simulator.faults.cutNextFrame('middle'),
  'behind the last line of a frame': (simulator) => simulator.faults.cutNextFrame('after-data'),
}

test.for(Object.keys(cuts))(
  'a stream cut after 30 events, %s, delivers each event once, even if the platform then goes down for seconds',
  { timeout },
  async (how) => {
    const experiment = await Experiment.start({ clockFactor: outage.clockFactor })
    const { simulator } = experiment
    const program = await experiment.connect()
    const cut = async () => {
      const [connection] = simulator.connections
      cuts[how]!(simulator)
      experiment.publish(30)
      await until('the cut', () => connection!.ended.aborted, patienceMs)
    }

    experiment.publish(30)
    await experiment.takenOnce()
    await cut()
    await experiment.takenOnce()
    await until('the connection', () => simulator.connections.length > 0, patienceMs)

    await cut()
    await simulator.faults.takePlatformDown()
    await sleep(outage.awayMs)
    experiment.publish(30)
    await simulator.faults.bringPlatformUp()
    await experiment.takenOnce()
    await experiment.end(program)
    expect(streamRequests(simulator).length).toBeGreaterThanOrEqual(3)
    expect((await experiment.readState()).deadLetters).toEqual([])
  },
)
