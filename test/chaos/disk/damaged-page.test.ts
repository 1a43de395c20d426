import { describe, expect, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { indicator, live } from '../../fixtures/channels.ts'
import { damage } from '../../fixtures/damage.ts'
import { type Recorder } from '../../fixtures/recorder.ts'
import { caughtUp, makeRecorder, startRecorder, startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { isFullChaos } from '../scale.ts'

/** A state with more of everything than fits in one page, and more than SQLite keeps in memory (2 MB). */
async function filledState(connectorId: string): Promise<string> {
  const directory = await temporaryFolder()
  const store = new SqliteStore({ directory, connectorId })
  await store.open(connectorId)
  const many = <T>(count: number, make: (index: number) => T) =>
    Array.from({ length: count }, (_, index) => make(index))
  await store.commit({
    values: new Map(many(1000, (index) => [`some value ${index}`, 'x'.repeat(100)] as const)),
    putEntities: many(3000, (index) => ({
      key: `entity-${index}`,
      stixId: `indicator--entity-${index}`,
      externalId: `at-target-${index}`,
      position: '1000-0',
      expiresAtMs: 9_000_000_000_000 + index,
    })),
    putDepartures: new Map(many(1000, (index) => [`gone-${index}`, '1000-0'] as const)),
    addDeadLetters: many(400, (index) => ({
      key: `letter-${index}`,
      eventType: 'create',
      position: '1000-0',
      attempts: 3,
      firstAtMs: 1,
      lastAtMs: 1,
      error: 'no',
      data: 'x'.repeat(20_000),
    })),
    outdateDeadLetters: new Map(many(400, (index) => [`letter-${index}`, '2000-0'] as const)),
  })
  await store.requestReplay({ ids: [1], force: false })
  await store.close()
  return directory
}

/** Creates an entity on the platform and waits until the target has it. */
async function delivers(simulator: Simulator, recorder: Recorder, seed: number): Promise<void> {
  const { id } = simulator.create(buildIndicator('domain', { seed }))
  await until('a delivery', () => recorder.callsOf(id).length > 0)
}

/** Tables, and an index, that hold dead letters; and those without which nothing can be told of where it stood. */
const letterTables = isFullChaos ? ['dead_letter', 'dead_letter_count', 'outdated'] : ['dead_letter_count']
const vitalTables = isFullChaos ? ['value', 'meta', 'departure'] : ['value']

describe('a damaged page is reported, and delivery of all other events continues', () => {
  test.for(letterTables)('before the start, in %s', async (table) => {
    const simulator = await startSimulator()
    const directory = await filledState(simulator.connectorId)
    damage(directory, table)
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
    const recorder = await startRecorder(simulator, { store })
    await expectTold(recorder)
    await caughtUp(recorder)
    await delivers(simulator, recorder, 5)
    expect(recorder.status().stateProblem).toMatch(/^dead letters cannot be read: /)
  })

  test('at run time, in dead letters that it has read before', async () => {
    const simulator = await startSimulator()
    const directory = await filledState(simulator.connectorId)
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
    const recorder = await startRecorder(simulator, { store })
    await caughtUp(recorder)
    await delivers(simulator, recorder, 5)
    expect(recorder.notice('dead-letters-not-read')).toBeUndefined()
    damage(directory, 'dead_letter', 'first')
    await expectTold(recorder)
    await delivers(simulator, recorder, 6)
  })

  test('at run time, in the id map, for entities outside that page', async () => {
    const simulator = await startSimulator()
    const directory = await filledState(simulator.connectorId)
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
    const recorder = await startRecorder(simulator, { store })
    await caughtUp(recorder)
    damage(directory, 'entity', 'first')
    for (let seed = 5; seed < 25; seed++) await delivers(simulator, recorder, seed)
    const outcome = recorder.processMessage(live('update', indicator('entity-0', undefined), '2000-0'))
    await until('the notice', () => recorder.notice('state-not-read'))
    expect(recorder.status().notReady).toContainEqual(expect.objectContaining({ part: 'state' }))
    await delivers(simulator, recorder, 30)
    expect(recorder.status().deadLettered).toBe(0)
    void outcome.catch(() => {})
  })
})

describe('a state whose position cannot be read is never a first start: the start fails with the reason and what to do', () => {
  test.for(vitalTables)('damaged in %s', async (table) => {
    const simulator = await startSimulator()
    const directory = await filledState(simulator.connectorId)
    damage(directory, table, 'first')
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
    const recorder = makeRecorder(simulator, { store })
    await expect(recorder.start()).rejects.toMatchObject({
      code: 'STATE_CORRUPT',
      message: expect.stringMatching(/is damaged .* Move .* away and start again/) as string,
    })
    expect(recorder.calls).toEqual([])
  })
})

/** In the log, in readiness and in the status. */
async function expectTold(recorder: Recorder): Promise<void> {
  await until('the notice', () => recorder.notice('dead-letters-not-read'))
  await until('readiness', () =>
    recorder.status().notReady.some(({ reason }) => reason.startsWith('dead letters cannot be read')),
  )
  const lines = recorder.lines.filter(({ message }) => message.startsWith('Dead letters cannot be read'))
  expect(lines).toEqual([expect.objectContaining({ level: 'error' })])
}
