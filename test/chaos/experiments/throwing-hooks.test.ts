import { expect, test } from 'vitest'
import { comparePositions, parsePosition } from 'opencti-stream-connector'
import { platformState } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { Experiment, patienceMs, timeout } from './experiment.ts'

test(
  'a hook that throws at event 30 costs only that event, now and at later starts',
  { timeout },
  async () => {
    const experiment = await Experiment.start()
    const { simulator, target } = experiment
    target.answer = ([call]) => (call!.name === 'v30' ? 'throw' : 'taken')
    const first = experiment.run()
    experiment.publish(60)
    await experiment.takenOnce('v30')
    await experiment.heartbeats(3)
    await experiment.end(first)
    const tries = () => target.asked.filter(([call]) => call!.name === 'v30').length
    const triesBefore = tries()
    const { deadLetters } = await experiment.readState()
    expect(deadLetters).toMatchObject([{ error: expect.stringContaining('the hook has a bug') as string }])
    const poisoned = simulator.history.find(({ data }) => data['name'] === 'v30')!
    const known = parsePosition(String(platformState(simulator)['start_from']))!
    expect(comparePositions(known, parsePosition(poisoned.id)!)).toBeGreaterThan(0)

    const second = experiment.run()
    experiment.publish(10)
    await experiment.takenOnce('v30')
    await experiment.end(second)
    expect(tries()).toBe(triesBefore)
  },
)

test(
  'a batch hook that throws on its second batch is called again, and no position passes the batch before it succeeds',
  { timeout },
  async () => {
    const experiment = await Experiment.start({
      hooks: 'flush',
      entities: 2000,
      environment: { CONNECTOR_BATCH_MAX_ITEMS: '20', CONNECTOR_BATCH_MAX_WAIT_MS: '50' },
    })
    const { target } = experiment
    const gate = Promise.withResolvers<'taken'>()
    let batches = 0
    target.answer = () => {
      batches++
      if (batches === 2) return 'throw'
      return batches === 1 ? 'taken' : gate.promise
    }
    const program = experiment.run()
    experiment.publish(20)
    await experiment.taken(20)
    experiment.publish(40)
    await until('the batch again', () => batches >= 3, patienceMs)
    await experiment.heartbeats(10)
    const { position } = await experiment.readState()
    const [failed] = target.asked[1]!
    expect(comparePositions(parsePosition(position!)!, parsePosition(failed!.position)!)).toBeLessThan(0)
    gate.resolve('taken')
    await experiment.takenOnce()
    await experiment.end(program)
    expect((await experiment.readState()).deadLetters).toEqual([])
  },
)
