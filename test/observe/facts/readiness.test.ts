import { RetryableError } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect, onTestFinished, test } from 'vitest'
import { startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { ask } from '../../fixtures/ask.ts'
import { FailingStore, makeObserved, readiness } from '../../fixtures/make-observed.ts'

test('is ready while everything works, and not after a stop', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator)
  await recorder.start()
  await until('readiness', async () => (await readiness(recorder)).ready)
  const { health } = recorder.status().endpoints
  expect(await ask(`${health}/healthz`)).toMatchObject({ status: 200, body: '{"status":"alive"}\n' })
  expect(recorder.status().notReady).toEqual([])
  await recorder.stop()
  await expect(ask(`${health}/healthz`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(recorder.status().notReady.map(({ part }) => part)).toContain('connector')
})

test('says what it waits for while the platform is down, and is ready when it is back', async () => {
  const simulator = await startSimulator()
  await simulator.faults.takePlatformDown()
  const recorder = makeObserved(simulator)
  const started = recorder.start()
  const { status, reasons } = await until('the wait for the platform', async () => {
    if (recorder.status().endpoints.health === undefined) return undefined
    const answer = await readiness(recorder)
    return answer.reasons.some(({ reason }) => reason === 'it is waiting for the platform') && answer
  })
  expect(status).toBe(503)
  expect(reasons[0]).toEqual({ part: 'connector', reason: 'it is waiting for the platform' })
  const { health } = recorder.status().endpoints
  expect((await ask(`${health}/healthz`)).status).toBe(200)
  await simulator.faults.bringPlatformUp()
  await started
  await until('readiness', async () => (await readiness(recorder)).ready)
})

test('turns false within seconds when the target is down, with the reason, and back after', async () => {
  const simulator = await startSimulator()
  let isDown = false
  const recorder = makeObserved(simulator, {
    onCall() {
      if (isDown) throw new RetryableError('the SIEM does not answer')
    },
  })
  await recorder.start()
  await until('readiness', async () => (await readiness(recorder)).ready)
  isDown = true
  for (let seed = 1; seed <= 20; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  const { status, reasons } = await until('unreadiness', async () => {
    const answer = await readiness(recorder)
    return answer.parts.includes('target') && answer
  })
  expect(status).toBe(503)
  expect(reasons).toEqual([
    { part: 'target', reason: expect.stringContaining('the SIEM does not answer') as string },
  ])
  const metrics = async () => (await ask(`${recorder.status().endpoints.metrics}/metrics`)).body
  expect(await metrics()).toContain('opencti_stream_target_up 0')
  isDown = false
  await until('readiness', async () => (await readiness(recorder)).ready)
  await until('all of them', () => recorder.status().inFlight === 0 && recorder.status().delivered >= 20)
  expect(await metrics()).toContain('opencti_stream_target_up 1')
})

test('turns false after five seconds of a single event that keeps failing', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator)
  await recorder.start()
  await until('readiness', async () => (await readiness(recorder)).ready)
  recorder.onCall = () => {
    throw new RetryableError('not yet')
  }
  simulator.create(buildIndicator('ipv4', { seed: 1 }))
  const { reasons } = await until('unreadiness', async () => {
    const answer = await readiness(recorder)
    return answer.parts.includes('target') && answer
  })
  expect(reasons[0]!.reason).toMatch(/^the target (has not worked for \d+ s|is down: .*not yet)$/)
})

test('turns false when the stream is lost for longer than a restart takes, and back after', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator)
  await recorder.start()
  await until('readiness', async () => (await readiness(recorder)).ready)
  await simulator.faults.takePlatformDown()
  const { parts } = await until('unreadiness', async () => {
    const answer = await readiness(recorder)
    return !answer.ready && answer
  })
  expect(parts).toEqual(['stream'])
  await simulator.faults.bringPlatformUp()
  await until('readiness', async () => (await readiness(recorder)).ready)
})

test('turns false when the state cannot be written, and back after', async () => {
  const simulator = await startSimulator()
  const store = new FailingStore()
  const recorder = makeObserved(simulator, { store })
  await recorder.start()
  await until('readiness', async () => (await readiness(recorder)).ready)
  store.isFull = true
  onTestFinished(() => {
    store.isFull = false
  })
  simulator.create(buildIndicator('ipv4', { seed: 1 }))
  const { reasons } = await until('unreadiness', async () => {
    const answer = await readiness(recorder)
    return !answer.ready && answer
  })
  expect(reasons).toEqual([{ part: 'state', reason: 'The state cannot be written: the disk is full.' }])
  store.isFull = false
  await until('readiness', async () => (await readiness(recorder)).ready)
})

test('a port in use keeps it from starting, with a clear error', async () => {
  const simulator = await startSimulator()
  const first = makeObserved(simulator)
  await first.start()
  const { port } = new URL(first.status().endpoints.health!)
  const second = makeObserved(simulator, { env: { CONNECTOR_HEALTH_PORT: port } })
  await expect(second.start()).rejects.toMatchObject({
    message: expect.stringContaining(`CONNECTOR_HEALTH_PORT: port ${port} of 127.0.0.1 is in use`) as string,
  })
  expect(second.status().state).toBe('failed')
})
