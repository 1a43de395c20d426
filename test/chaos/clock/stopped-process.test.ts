import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { ChildLife } from '../../fixtures/child-life.ts'
import { CrashTarget } from '../../fixtures/crash-target.ts'
import { makeRecorder, startSimulator } from '../../fixtures/stage.ts'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { until } from '../../fixtures/until.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { minimalEnvironment } from '../../fixtures/minimal-environment.ts'
import { scaled } from '../scale.ts'

/** At full size, longer than the minute of silence after which a connection counts as dead. */
const stoppedMs = scaled(1000, 65_000)

test(
  `loses nothing and repeats nothing when SIGSTOP halts the connector for ${stoppedMs / 1000} s`,
  { timeout: stoppedMs + 60_000 },
  async () => {
    const simulator = await startSimulator()
    const target = await CrashTarget.start()
    onTestFinished(() => target.close())
    const life = new ChildLife('./crash-child.ts', {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: await temporaryFolder(),
      CRASH_TARGET: target.url,
      CONNECTOR_FILTER_TYPES: 'indicator',
    })
    onTestFinished(() => void life.process.kill('SIGKILL'))
    let count = 0
    const write = (more: number) => {
      for (let index = 0; index < more; index++) simulator.create(buildIndicator('ipv4', { seed: ++count }))
    }
    write(50)
    await until('the first ones', () => target.documents.size === count)
    life.process.kill('SIGSTOP')
    for (let step = 0; step < 20; step++) {
      write(10)
      await sleep(stoppedMs / 20)
    }
    life.process.kill('SIGCONT')
    write(10)
    await until('all of it', () => target.documents.size === count)
    expect(target.calls).toBe(count)
    expect(await life.end('SIGTERM')).toBe(0)
  },
)

test(
  'reports and waits for a platform that SIGSTOP halts for longer than any patience, and loses and repeats nothing',
  { timeout: 120_000 },
  async () => {
    const platform = new ChildLife(new URL('./platform-child.ts', import.meta.url), {})
    onTestFinished(() => void platform.process.kill('SIGKILL'))
    const [environment] = (await once(platform.process, 'message')) as [Record<string, string>]
    let count = 0
    const write = (more: number) => {
      platform.process.send({ first: count + 1, last: count + more })
      count += more
    }
    const idOf = (seed: number) => buildIndicator('ipv4', { seed }).id
    const ids = () => Array.from({ length: count }, (_, index) => idOf(index + 1))
    const recorder = makeRecorder(
      { environment: () => ({ ...minimalEnvironment, ...environment }) } as never,
      {
        clock: fastClock(),
      },
    )
    await recorder.start()
    write(50)
    const isDone = () => ids().every((id) => recorder.callsOf(id).length > 0)
    await until('the first ones', isDone)
    for (let round = 0; round < scaled(1, 3); round++) {
      platform.process.kill('SIGSTOP')
      await until('readiness to tell', () => recorder.status().notReady.some(({ part }) => part === 'stream'))
      expect(recorder.status().state).toBe('running')
      platform.process.kill('SIGCONT')
      write(50)
      await until('all of it', isDone, 40_000)
    }
    expect(ids().flatMap((id) => recorder.callsOf(id))).toEqual(ids().map(() => 'create'))
    expect(recorder.notice('reset')).toBeUndefined()
  },
)
