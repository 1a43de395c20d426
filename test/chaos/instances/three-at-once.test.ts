import { expect, onTestFinished, test } from 'vitest'
import { MemoryStore } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { ChildLife } from '../../fixtures/child-life.ts'
import { CrashTarget } from '../../fixtures/crash-target.ts'
import { caughtUp, startRecorder, startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { scaled } from '../scale.ts'

test(
  'of three processes on one folder, one runs and the others exit with 1 and one line that says why; after a kill the next one gets the folder',
  { timeout: 120_000 },
  async () => {
    const simulator = await startSimulator()
    const target = await CrashTarget.start()
    onTestFinished(() => target.close())
    const environment = {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: await temporaryFolder(),
      CRASH_TARGET: target.url,
      CONNECTOR_FILTER_TYPES: 'indicator',
    }
    let seed = 0
    for (let round = 0; round < scaled(1, 3); round++) {
      const lives = [1, 2, 3].map(() => {
        const life = new ChildLife('./crash-child.ts', environment)
        onTestFinished(() => void life.process.kill('SIGKILL'))
        return life
      })
      const running = () => lives.filter(({ process: each }) => each.exitCode === null)
      await until('two to end', () => running().length <= 1)
      const others = lives.filter((life) => !running().includes(life))
      expect(others.map(({ process: each }) => each.exitCode)).toEqual([1, 1])
      for (const { said } of others) {
        const lines = said
          .split('\n')
          .filter((line) => line.includes('Another running connector is using the state'))
        expect(lines, said).toHaveLength(1)
      }
      for (let count = 0; count < 20; count++) simulator.create(buildIndicator('ipv4', { seed: ++seed }))
      await until('all of it', () => target.documents.size === seed)
      expect(await running()[0]!.end('SIGKILL')).toBeNull()
    }
  },
)

test('three processes on three folders report each other, and all continue from their own positions', async () => {
  const simulator = await startSimulator()
  const start = () => startRecorder(simulator, { store: new MemoryStore() })
  const all = [await start(), await start(), await start()]
  for (const recorder of all) await caughtUp(recorder)
  await until('all to tell', () =>
    all.every(({ notices }) => notices.some((notice) => notice.kind === 'second-copy' && notice.isCertain)),
  )
  const ids = Array.from(
    { length: 20 },
    (_, index) => simulator.create(buildIndicator('ipv4', { seed: index })).id,
  )
  await until('all of it in each', () => all.every((each) => ids.every((id) => each.callsOf(id).length > 0)))
  for (const recorder of all)
    expect(ids.flatMap((id) => recorder.callsOf(id))).toEqual(ids.map(() => 'create'))
})
