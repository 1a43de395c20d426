import { expect, test } from 'vitest'
import { platformState, streamRequests } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { Experiment, patienceMs, timeout } from './experiment.ts'

test.for(['single', 'flush'] as const)(
  'obeys a reset in the UI with %s hooks: everything arrives again, and the process lives',
  { timeout },
  async (hooks) => {
    const experiment = await Experiment.start({
      hooks,
      clockFactor: 20,
      environment: { CONNECTOR_BATCH_MAX_ITEMS: '20', CONNECTOR_BATCH_MAX_WAIT_MS: '1000' },
    })
    const { simulator, target } = experiment
    const program = await experiment.connect()
    const from = streamRequests(simulator)[0]!.query['from']
    experiment.publish(60)
    await experiment.takenOnce()
    const before = streamRequests(simulator).length
    simulator.resetState()
    await experiment.pings(1)
    expect(simulator.connector()!.pings.some(({ ignored }) => ignored)).toBe(true)
    await until('a new beginning', () => streamRequests(simulator).length > before, patienceMs)
    expect(streamRequests(simulator)[before]!.query['from']).toBe(from)
    await experiment.taken(120)
    expect(
      target.taken
        .slice(60)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(
      target.taken
        .slice(0, 60)
        .map(({ name }) => name)
        .toSorted(),
    )
    // It still knows what was pushed.
    expect(new Set(target.taken.slice(60).map(({ hook }) => hook))).toEqual(new Set(['update']))
    await experiment.pings(2)
    for (const key of ['start_from', 'recover_until']) expect(platformState(simulator)).toHaveProperty(key)
    await experiment.end(program)
  },
)

test(
  'resumes from the state that the Python client leaves after a reset, which holds only a position',
  { timeout },
  async () => {
    const experiment = await Experiment.start()
    const { simulator, target } = experiment
    experiment.publish(20)
    simulator.setState(simulator.connectorId, JSON.stringify({ start_from: simulator.lastEventId }))
    experiment.publish(30)
    const program = await experiment.connect()
    await experiment.taken(30)
    await experiment.end(program)
    const expected = Array.from({ length: 30 }, (_, index) => `v${index + 21}`)
    expect(new Set(target.taken.map(({ name }) => name))).toEqual(new Set(expected))
    expect(target.taken).toHaveLength(30)
  },
)
