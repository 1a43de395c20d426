import { execFileSync } from 'node:child_process'
import { statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { ChildLife } from '../../fixtures/child-life.ts'
import { CrashTarget } from '../../fixtures/crash-target.ts'
import { type Recorder } from '../../fixtures/recorder.ts'
import { caughtUp, makeRecorder, startRecorder, startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { scaled } from '../scale.ts'
import { breakDisk, empty, fill, freeze, mountedDisk, mountProblem } from './mounted.ts'

/** Declares tests on disks of this kind; where none can be mounted, the title says why they are skipped. */
function onDisk(kind: 'tmpfs' | 'ext4', tests: () => void): void {
  const problem = mountProblem(kind)
  const title = `a real ${kind} disk${problem === undefined ? '' : ` (${problem})`}`
  describe.skipIf(problem !== undefined)(title, tests)
}

let seed = 1000
/** Creates some indicators on the platform, and returns their ids. */
const write = (simulator: Simulator, count: number) =>
  Array.from({ length: count }, () => simulator.create(buildIndicator('domain', { seed: seed++ })).id)

const isDone = (recorder: Recorder, ids: readonly string[]) =>
  ids.every((id) => recorder.callsOf(id).length > 0)

onDisk('tmpfs', () => {
  test('a disk that fills up at run time pauses reading with a report until there is room, and loses and repeats nothing', async () => {
    const directory = await mountedDisk('tmpfs')
    const simulator = await startSimulator()
    const { connectorId } = simulator
    const recorder = await startRecorder(simulator, { store: new SqliteStore({ directory, connectorId }) })
    await caughtUp(recorder)
    const ids: string[] = []
    for (let round = 0; round < scaled(2, 10); round++) {
      ids.push(...write(simulator, 10))
      await until('the first ones', () => isDone(recorder, ids))
      fill(directory)
      const since = recorder.notices.length
      const told = (kind: string) => recorder.notices.slice(since).some((notice) => notice.kind === kind)
      // Events that arrive before the disk is known to be full stay in flight.
      await until('the trouble', () => {
        ids.push(...write(simulator, 50))
        return told('state-not-written')
      })
      expect(recorder.status().stateProblem).toMatch(/the disk is full\. Free up space/)
      expect(recorder.status().notReady).toContainEqual(expect.objectContaining({ part: 'state' }))
      await until('reading to rest', () => recorder.status().inFlight === 0)
      const paused = write(simulator, 50)
      await sleep(200)
      expect(paused.filter((id) => recorder.callsOf(id).length > 0).length).toBeLessThan(50)
      ids.push(...paused)
      empty(directory)
      await until('the end of the trouble', () => told('state-restored'))
      await until('all of it', () => isDone(recorder, ids))
    }
    expect(ids.flatMap((id) => recorder.callsOf(id))).toEqual(ids.map(() => 'create'))
    expect(recorder.status()).toMatchObject({ deadLettered: 0, notReady: [] })
    await recorder.stop()
    const next = await startRecorder(simulator, { store: new SqliteStore({ directory, connectorId }) })
    const [last] = write(simulator, 1)
    await until('what comes next', () => isDone(next, [last!]))
    expect(next.calls).toHaveLength(1)
  })

  test('a small disk keeps room for both the state and its write-ahead log', async () => {
    const directory = await mountedDisk('tmpfs')
    const store = new SqliteStore({ directory, connectorId: 'small' })
    onTestFinished(() => store.close())
    await store.open('small')
    for (let index = 0; index < 3000; index++)
      await store.commit({ values: new Map([[`name ${index % 100}`, `${index}`.padEnd(1000)]]) })
    const { bsize, blocks } = statfsSync(directory)
    expect(statSync(join(directory, 'small.sqlite-wal')).size).toBeLessThanOrEqual((bsize * blocks) / 4)
  })

  test('a full disk at the start ends it with what to do, and the next start works when there is room', async () => {
    const directory = await mountedDisk('tmpfs')
    const simulator = await startSimulator()
    const store = () => new SqliteStore({ directory, connectorId: simulator.connectorId })
    fill(directory)
    await expect(makeRecorder(simulator, { store: store() }).start()).rejects.toThrow(
      /the disk is full|Make room/,
    )
    empty(directory)
    const recorder = await startRecorder(simulator, { store: store() })
    const ids = write(simulator, 3)
    await until('the events', () => isDone(recorder, ids))
  })

  test('a read-only disk ends the start with what to do, before any call', async () => {
    const directory = await mountedDisk('tmpfs')
    const simulator = await startSimulator()
    const store = () => new SqliteStore({ directory, connectorId: simulator.connectorId })
    const first = await startRecorder(simulator, { store: store() })
    await caughtUp(first)
    await first.stop()
    execFileSync('mount', ['-o', 'remount,ro', directory])
    const recorder = makeRecorder(simulator, { store: store() })
    await expect(recorder.start()).rejects.toMatchObject({
      message: expect.stringMatching(/permission denied.*a volume that is not read-only/) as string,
    })
    expect(recorder.calls).toEqual([])
  })
})

onDisk('ext4', () => {
  test('a file system error that makes the disk read-only at run time pauses reading with a report, and a repair loses nothing', async () => {
    const directory = await mountedDisk('ext4')
    const simulator = await startSimulator()
    const { connectorId } = simulator
    const recorder = await startRecorder(simulator, { store: new SqliteStore({ directory, connectorId }) })
    await caughtUp(recorder)
    const ids = write(simulator, 10)
    await until('the first ones', () => isDone(recorder, ids))
    breakDisk(directory)
    await until('the trouble', () => {
      ids.push(...write(simulator, 1))
      return recorder.notice('state-not-written')
    })
    expect(recorder.status().notReady).toContainEqual(expect.objectContaining({ part: 'state' }))
    ids.push(...write(simulator, 20))
    await recorder.stop().catch(() => {})
    // As an operator would: another volume, with the files of the broken one.
    const repaired = await temporaryFolder()
    execFileSync('cp', ['-a', `${directory}/.`, repaired])
    const next = await startRecorder(simulator, {
      store: new SqliteStore({ directory: repaired, connectorId }),
    })
    await until('all of it', () => ids.every((id) => [recorder, next].some((each) => isDone(each, [id]))))
  })

  test('a disk that does not answer for seconds delays everything, and loses and repeats nothing', async () => {
    const directory = await mountedDisk('ext4')
    const simulator = await startSimulator()
    const target = await CrashTarget.start()
    onTestFinished(() => target.close())
    const life = new ChildLife('./crash-child.ts', {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: directory,
      CRASH_TARGET: target.url,
      CONNECTOR_FILTER_TYPES: 'indicator',
    })
    onTestFinished(() => void life.process.kill('SIGKILL'))
    let count = write(simulator, 20).length
    await until('the first ones', () => target.documents.size === count)
    for (let round = 0; round < scaled(1, 4); round++) {
      const thaw = freeze(directory)
      for (let step = 0; step < 10; step++) {
        count += write(simulator, 20).length
        await sleep(scaled(100, 300))
      }
      thaw()
      await until('all of it', () => target.documents.size === count)
    }
    expect(target.calls).toBe(count)
    expect(await life.end('SIGTERM')).toBe(0)
  })
})
