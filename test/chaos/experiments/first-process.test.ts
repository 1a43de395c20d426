import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Program } from '../../fixtures/program.ts'
import { Experiment, outage, timeout } from './experiment.ts'
import { asFirstProcess, needFirstProcess, signalFirstProcess } from './first-process.ts'

async function end(experiment: Experiment, program: Program): Promise<void> {
  signalFirstProcess(program, 'SIGTERM')
  await experiment.ended(program)
}

test(
  'as PID 1, a connector with a throwing hook continues, and SIGTERM ends it with code 0 and everything saved',
  { timeout },
  async (context) => {
    needFirstProcess(context)
    const experiment = await Experiment.start()
    const { target } = experiment
    target.answer = ([call]) => (call!.name === 'v30' ? 'throw' : 'taken')
    const first = await experiment.connect({ within: asFirstProcess })
    experiment.publish(60)
    await experiment.takenOnce('v30')
    await end(experiment, first)
    expect((await experiment.readState()).deadLetters).toHaveLength(1)

    const second = await experiment.connect({ within: asFirstProcess })
    experiment.publish(10)
    await experiment.takenOnce('v30')
    await end(experiment, second)
  },
)

test(
  'as PID 1, a connector with batches survives a platform outage, and loses and duplicates nothing',
  { timeout },
  async (context) => {
    needFirstProcess(context)
    const experiment = await Experiment.start({
      hooks: 'flush',
      entities: 2000,
      clockFactor: outage.clockFactor,
      environment: { CONNECTOR_BATCH_MAX_ITEMS: '20', CONNECTOR_BATCH_MAX_WAIT_MS: '200' },
    })
    const { simulator } = experiment
    const program = await experiment.connect({ within: asFirstProcess })
    experiment.publish(30)
    await experiment.takenOnce()
    await simulator.faults.takePlatformDown()
    await sleep(outage.awayMs)
    experiment.publish(30)
    await simulator.faults.bringPlatformUp()
    await experiment.takenOnce()
    await end(experiment, program)
  },
)
