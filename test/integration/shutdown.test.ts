import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import {
  MemoryStore,
  systemClock,
  type Clock,
  type Entity,
  type EventContext,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { serve } from '../fixtures/loopback.ts'
import { runProgram } from '../fixtures/program.ts'
import { Recorder } from '../fixtures/recorder.ts'
import { caughtUp, makeRecorder, platformState, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** A target that holds each call until it is let go. */
async function slowTarget() {
  const held: (() => void)[] = []
  let answered = 0
  const url = await serve((request, response) => {
    request.resume()
    held.push(() => {
      answered++
      response.writeHead(204).end()
    })
  })
  return {
    url,
    held,
    answered: () => answered,
    release: () => held.splice(0).forEach((answer) => answer()),
  }
}

/** A connector in a process of its own, with one call that its target holds. */
async function busyProgram(environment: Record<string, string> = {}) {
  const directory = await temporaryFolder()
  const simulator = await startSimulator()
  const target = await slowTarget()
  const program = runProgram('./crash-child.ts', {
    ...simulator.environment(),
    CONNECTOR_STATE_DIR: directory,
    CONNECTOR_LIVE_STREAM_START_TIMESTAMP: simulator.lastEventId,
    CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
    CRASH_TARGET: target.url,
    ...environment,
  })
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 1 }))
  await until('the call', () => target.held.length > 0, 20_000)
  return { simulator, target, program, id }
}

test.for(['SIGTERM', 'SIGINT'] as const)(
  '%s stops reading, lets work finish, saves, pings and exits 0',
  async (signal) => {
    const { simulator, target, program } = await busyProgram({ CONNECTOR_LOG_LEVEL: 'warn' })
    const pings = simulator.connector()!.pings.length
    program.process.kill(signal)
    await simulator.waitForDisconnection()
    expect(program.process.exitCode).toBeNull()
    const late = simulator.create(buildIndicator('ipv4', { seed: 2 }))
    target.release()
    expect(await program.exit, program.said()).toBe(0)
    expect(target.answered()).toBeGreaterThan(0)
    expect(program.said()).not.toContain('could not be finished in time')
    expect(simulator.connector()!.pings.length).toBe(pings + 1)
    expect(String(platformState(simulator)['start_from'])).toMatch(/^\d{13}-\d+$/)
    expect(simulator.entity(late.id)).toBeDefined()
  },
)

test('gives up work that outlasts the grace time, without losing it', async () => {
  const { simulator, target, program, id } = await busyProgram({ CONNECTOR_STOP_GRACE_MS: '50' })
  program.process.kill('SIGTERM')
  expect(await program.exit, program.said()).toBe(0)
  expect(target.answered()).toBe(0)
  const recorder = await startRecorder(simulator)
  await until('the event again', () => recorder.callsOf(id).length > 0)
})

test('gives up at once on a second signal', async () => {
  const { simulator, target, program } = await busyProgram({ CONNECTOR_STOP_GRACE_MS: '600000' })
  program.process.kill('SIGTERM')
  await simulator.waitForDisconnection()
  const startedAt = performance.now()
  program.process.kill('SIGTERM')
  expect(await program.exit).toBe(1)
  expect(performance.now() - startedAt).toBeLessThan(20_000)
  expect(target.answered()).toBe(0)
})

test('exits with 0 on a signal while it waits for the platform', async () => {
  const simulator = await startSimulator()
  await simulator.faults.takePlatformDown()
  const directory = await temporaryFolder()
  const program = runProgram('./crash-child.ts', {
    ...simulator.environment(),
    CONNECTOR_STATE_DIR: directory,
    CONNECTOR_LOG_LEVEL: 'warn',
    CRASH_TARGET: 'http://127.0.0.1:9/',
  })
  await until('a line that says so', () => /retrying/.test(program.said()), 20_000)
  program.process.kill('SIGTERM')
  expect(await program.exit, program.said()).toBe(0)
})

test('stop() twice is the same stop', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  const first = recorder.stop()
  expect(recorder.stop()).toBe(first)
  await first
  expect(recorder.stop()).toBe(first)
  expect(recorder.status().state).toBe('stopped')
  await expect(recorder.finished).resolves.toBeUndefined()
  const states = recorder.notices.flatMap((notice) => (notice.kind === 'state' ? [notice.state] : []))
  expect(states).toEqual(['starting', 'running', 'stopping', 'stopped'])
})

test('stop() without a start, and during a start, is a stop', async () => {
  const simulator = await startSimulator()
  const idle = makeRecorder(simulator)
  await idle.stop()
  expect(idle.status().state).toBe('stopped')
  simulator.stopStream()
  const waiting = makeRecorder(simulator)
  const start = waiting.start()
  await until('the wait', () => waiting.lines.some(({ message }) => /retrying/.test(message)))
  await waiting.stop()
  await expect(start).resolves.toBeUndefined()
  expect(waiting.status().state).toBe('stopped')
})

test('returns a message that has not ended when it stops, instead of waiting forever', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { env: { CONNECTOR_STOP_GRACE_MS: '500' } })
  await caughtUp(recorder)
  recorder.onCall = () => new Promise(() => {})
  const message = { event: 'create', data: buildIndicator('ipv4', { seed: 1 }) }
  const hung = recorder.processMessage(message)
  const many = recorder.processMessages([message, { ...message, data: buildIndicator('ipv4', { seed: 2 }) }])
  const answers = Promise.allSettled([hung, many])
  await until('the call', () => recorder.status().inFlight > 0)
  await recorder.stop()
  for (const answer of await answers) {
    expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'LIFECYCLE' } })
  }
  await expect(recorder.processMessage(message)).rejects.toThrow(/stopped before/)
})

test('refuses to start again after a stop', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await recorder.stop()
  await expect(recorder.start()).rejects.toMatchObject({ code: 'LIFECYCLE' })
})

test('runs every clean-up, even if one throws', async () => {
  const simulator = await startSimulator()
  let isClosed = false
  class Store extends MemoryStore {
    override async close(): Promise<void> {
      isClosed = true
      await super.close()
    }
  }
  class Clumsy extends Recorder {
    override close(): void {
      throw new Error('the handle is gone')
    }
  }
  const recorder = new Clumsy({
    env: simulator.environment(),
    directory: tmpdir(),
    store: new Store(),
  })
  await recorder.start()
  const pings = simulator.connector()!.pings.length
  await recorder.stop()
  expect(isClosed).toBe(true)
  expect(simulator.connector()!.pings.length).toBe(pings + 1)
  expect(recorder.status().state).toBe('failed')
  await expect(recorder.finished).rejects.toThrow('the handle is gone')
  expect(recorder.lines.some(({ message }) => message === 'close() failed while stopping')).toBe(true)
  await simulator.waitForDisconnection()
})

test('the last ping does not delay the stop if the platform is down', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await simulator.faults.takePlatformDown()
  await recorder.stop()
  expect(recorder.status().state).toBe('stopped')
  await simulator.faults.bringPlatformUp()
})

/** The machine's clock, and how many calls are still to come. */
function countingClock(): { clock: Clock; pending: () => number } {
  const open = new Set<symbol>()
  return {
    pending: () => open.size,
    clock: {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic(),
      schedule(delayMs, callback) {
        const key = Symbol('timer')
        open.add(key)
        const cancel = systemClock.schedule(delayMs, () => {
          open.delete(key)
          callback()
        })
        return () => {
          open.delete(key)
          cancel()
        }
      },
    },
  }
}

test('leaves no timer and no socket behind', async () => {
  const simulator = await startSimulator()
  const { clock, pending } = countingClock()
  const recorder = await startRecorder(simulator, { clock })
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 1 }))
  await until('the event', () => recorder.callsOf(id).length > 0)
  await recorder.stop()
  await simulator.waitForDisconnection()
  expect(pending()).toBe(0)
})

test('a hook that ends after the stop starts nothing again', async () => {
  const simulator = await startSimulator()
  const { clock, pending } = countingClock()
  const recorder = await startRecorder(simulator, { clock, env: { CONNECTOR_STOP_GRACE_MS: '0' } })
  await caughtUp(recorder)
  const gate = Promise.withResolvers<void>()
  recorder.onCall = () => gate.promise
  simulator.create(buildIndicator('ipv4', { seed: 1 }))
  await until('the call', () => recorder.status().inFlight > 0)
  await recorder.stop()
  const calls = recorder.calls.length
  gate.resolve()
  await until('the end of the hook', () => recorder.calls.length > calls)
  await new Promise((resolve) => setImmediate(resolve))
  expect(pending()).toBe(0)
})

test('leaves no timer behind if its stream was stopped', async () => {
  const simulator = await startSimulator()
  const { clock, pending } = countingClock()
  const recorder = await startRecorder(simulator, { clock })
  await caughtUp(recorder)
  simulator.stopStream()
  await until('the wait', () => recorder.streamKinds.includes('stopped'))
  await recorder.stop()
  expect(pending()).toBe(0)
})

test('stops on StopConnector, saves what is done, says once that it has failed, and rejects finished', async () => {
  const { StopConnector } = await import('opencti-stream-connector')
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  recorder.onCall = () => {
    throw new StopConnector('the license has ended')
  }
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 1 }))
  await expect(recorder.finished).rejects.toThrow('the license has ended')
  expect(recorder.status().state).toBe('failed')
  const next = await startRecorder(simulator)
  await until('the event again', () => next.callsOf(id).length > 0)
  const states = recorder.notices.flatMap((notice) => (notice.kind === 'state' ? [notice.state] : []))
  expect(states).toEqual(['starting', 'running', 'stopping', 'failed'])
})

test('StopConnector lets the hooks of other entities finish', async () => {
  const { StopConnector } = await import('opencti-stream-connector')
  const simulator = await startSimulator()
  const other = Promise.withResolvers<void>()
  const recorder = await startRecorder(simulator, { clock: systemClock })
  await caughtUp(recorder)
  const [slow, fatal] = [1, 2].map((seed) => buildIndicator('ipv4', { seed }))
  let signal: AbortSignal | undefined
  let wasToldToGiveUp: boolean | undefined
  recorder.create = async (entity: Entity, context: EventContext) => {
    if (entity.id === fatal!.id) throw new StopConnector('the license has ended')
    signal = context.signal
    await other.promise
    wasToldToGiveUp = signal.aborted
  }
  simulator.create(slow!)
  await until('the slow hook', () => recorder.status().inFlight === 1)
  simulator.create(fatal!)
  await until('the end of the stream', () => simulator.connections.length === 0)
  setImmediate(other.resolve)
  await expect(recorder.finished).rejects.toThrow('the license has ended')
  expect(wasToldToGiveUp).toBe(false)
  // The event that stopped it is not finished: it comes again.
  expect(recorder.status().inFlight).toBe(1)
})
