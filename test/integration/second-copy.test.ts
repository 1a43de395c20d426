import { cp } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { MemoryStore, SqliteStore } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { type Recorder } from '../fixtures/recorder.ts'
import { caughtUp, lastEventOf, platformState, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const withPage = { env: { CONNECTOR_HEALTH_PORT: '0' } }

async function headlineOf(recorder: Recorder): Promise<string> {
  const answer = await fetch(`${recorder.status().endpoints.health}/status`)
  const { headline } = (await answer.json()) as { headline: { state: string } }
  return headline.state
}

const certain = (recorder: Recorder) =>
  recorder.notices.filter((notice) => notice.kind === 'second-copy' && notice.isCertain)
const told = (recorder: Recorder) => recorder.notices.filter(({ kind }) => kind === 'second-copy')

/** Waits until so many more pings were answered. */
async function pings(simulator: Simulator, count: number): Promise<void> {
  const isPing = ({ kind, ...rest }: { kind: string }) =>
    kind === 'graphql' && (rest as { operation?: string }).operation === 'pingConnector'
  const before = simulator.requests.filter(isPing).length
  await until('pings', () => simulator.requests.filter(isPing).length >= before + count)
}

/** Ends a connector without its last ping, as `kill -9` does. */
async function kill(simulator: Simulator, recorder: Recorder): Promise<void> {
  simulator.faults.failGraphql(1000, { status: 503 })
  await recorder.stop()
  simulator.faults.clear()
}

describe('two copies of one connector', () => {
  test('on two state folders report each other, in the log and on their pages, and both continue', async () => {
    const simulator = await startSimulator()
    const [one, other] = [await startRecorder(simulator, withPage), await startRecorder(simulator, withPage)]
    await until('both headlines', async () => {
      const headlines = [await headlineOf(one), await headlineOf(other)]
      return headlines.every((headline) => headline === 'second copy')
    })
    for (const recorder of [one, other]) {
      const lines = recorder.lines.filter(({ message }) => message.startsWith('A second copy'))
      expect(lines).toEqual([expect.objectContaining({ level: 'error' })])
    }
    const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
    await until('the event in both', () => [one, other].every((each) => each.callsOf(id).length > 0))
    await other.stop()
    await until('the end of the trouble', async () => (await headlineOf(one)) === 'well')
    expect(one.notice('moved')).toBeUndefined()
  })

  test('are noticed even if one folder is a copy of the other', async () => {
    const simulator = await startSimulator()
    const connectorId = simulator.connectorId
    const [directory, copy] = [await temporaryFolder(), await temporaryFolder()]
    const first = await startRecorder(simulator, { store: new SqliteStore({ directory, connectorId }) })
    await caughtUp(first)
    await first.stop()
    await cp(directory, copy, { recursive: true })
    const one = await startRecorder(simulator, { store: new SqliteStore({ directory, connectorId }) })
    const other = await startRecorder(simulator, {
      store: new SqliteStore({ directory: copy, connectorId }),
    })
    await until('both notices', () => [one, other].every((each) => certain(each).length === 1))
  })

  test('are reported to the second at its start as possible, and with its first ping as certain', async () => {
    const simulator = await startSimulator()
    const one = await startRecorder(simulator)
    await until('its name', () => platformState(simulator)['written_by'] !== undefined)
    const other = await startRecorder(simulator)
    expect(other.notice('second-copy')).toMatchObject({ isCertain: false })
    await until('certainty', () => certain(other).length === 1)
    expect(one.status().state).toBe('running')
  })

  test('keep their own positions: one that starts again never takes that of the other', async () => {
    const simulator = await startSimulator()
    const store = new MemoryStore()
    const one = await startRecorder(simulator, { store })
    await caughtUp(one)
    await one.stop()
    const other = await startRecorder(simulator)
    await caughtUp(other)
    const missed = simulator.create(buildIndicator('domain', { seed: 9 }))
    await until(
      'the position of the other',
      () => platformState(simulator)['start_from'] === lastEventOf(simulator, missed.id),
    )
    const again = await startRecorder(simulator, { store })
    await until('what the other has passed', () => again.callsOf(missed.id).length > 0)
    expect(again.notice('reset')).toBeUndefined()
  })
})

describe('what only looks like a second copy is never called one', () => {
  test('a stop and a start, with the same folder or a new one, report nothing', async () => {
    const simulator = await startSimulator()
    const store = new MemoryStore()
    for (const each of [store, store, new MemoryStore()]) {
      const recorder = await startRecorder(simulator, { store: each })
      await pings(simulator, 3)
      await recorder.stop()
      expect(told(recorder)).toEqual([])
      expect(platformState(simulator)).not.toHaveProperty('written_by')
    }
  })

  test('a kill that leaves the folder reports nothing', async () => {
    const simulator = await startSimulator()
    const store = new MemoryStore()
    for (let life = 0; life < 3; life++) {
      const recorder = await startRecorder(simulator, { store })
      await pings(simulator, 2)
      await kill(simulator, recorder)
      expect(told(recorder)).toEqual([])
    }
  })

  test('a kill that loses the folder is reported at the start as possible', async () => {
    const simulator = await startSimulator()
    const killed = await startRecorder(simulator)
    await pings(simulator, 2)
    await kill(simulator, killed)
    const next = await startRecorder(simulator, withPage)
    await pings(simulator, 5)
    expect(told(next)).toEqual([expect.objectContaining({ isCertain: false })])
    expect(next.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringMatching(/lost, moved, or restored from a backup/) as string,
      }),
    )
    expect(await headlineOf(next)).toBe('well')
  })

  test('a restored backup is reported at the start, and later events are repeated, not lost', async () => {
    const simulator = await startSimulator()
    const connectorId = simulator.connectorId
    const [directory, backup] = [await temporaryFolder(), await temporaryFolder()]
    const store = (folder: string) => new SqliteStore({ directory: folder, connectorId })
    const first = await startRecorder(simulator, { store: store(directory) })
    await caughtUp(first)
    await first.stop()
    await cp(directory, backup, { recursive: true })
    const later = await startRecorder(simulator, { store: store(directory) })
    const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
    await until('the position', () => platformState(simulator)['start_from'] === lastEventOf(simulator, id))
    await kill(simulator, later)
    const restored = await startRecorder(simulator, { store: store(backup) })
    await until('what came since', () => restored.callsOf(id).length > 0)
    await pings(simulator, 5)
    expect(told(restored)).toEqual([expect.objectContaining({ isCertain: false })])
  })

  test('a state without a name, of an older version or of the Python client, reports nothing', async () => {
    const simulator = await startSimulator()
    const store = new MemoryStore()
    const first = await startRecorder(simulator, { store })
    await caughtUp(first)
    await first.stop()
    const { start_from, recover_until } = platformState(simulator)
    simulator.setState(simulator.connectorId, JSON.stringify({ recover_until, start_from }))
    for (const each of [store, new MemoryStore()]) {
      const recorder = await startRecorder(simulator, { store: each })
      await pings(simulator, 3)
      await recorder.stop()
      expect(told(recorder)).toEqual([])
    }
  })
})
