import { PermanentError, SkipEvent } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect, test } from 'vitest'
import { caughtUp, lastEventOf, startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { Distribution, HookTimings } from '../../../src/observe/facts/hook-timings.ts'
import { parsePosition } from '../../../src/util/position.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { ask, samplesOf } from '../../fixtures/ask.ts'
import { makeObserved } from '../../fixtures/make-observed.ts'

test('the metrics match the counters', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator)
  await recorder.start()
  await caughtUp(recorder)
  const before = recorder.status()
  let calls = 0
  recorder.onCall = () => {
    calls++
    if (calls === 1) throw new PermanentError('bad item')
    if (calls === 2) throw new SkipEvent('of "no" interest\n')
  }
  for (let seed = 1; seed <= 7; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  await until('all of them', () => {
    const { delivered, deadLettered, skippedByReason, inFlight } = recorder.status()
    const isSkipped = skippedByReason['of "no" interest '] === 1
    return delivered >= before.delivered + 5 && deadLettered === 1 && isSkipped && inFlight === 0
  })
  simulator.faults.cut()
  await until('a ping', () => simulator.connector()!.pings.length > 2)
  await until('the connection', async () => {
    const answer = await ask(`${recorder.status().endpoints.metrics}/metrics`)
    const samples = samplesOf(answer.body)
    return samples.get('opencti_stream_reconnects_total{reason="broken"}') === 1
  })
  const answer = await ask(`${recorder.status().endpoints.metrics}/metrics`)
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  const samples = samplesOf(answer.body)
  const status = recorder.status()
  const creations = recorder.calls.filter(({ hook }) => hook === 'create').length
  expect(status.delivered).toBeGreaterThanOrEqual(before.delivered + 5)
  expect(samples.get('opencti_stream_received_total')).toBe(status.received)
  expect(samples.get('opencti_stream_delivered_total')).toBe(status.delivered)
  expect(samples.get('opencti_stream_dead_letters_total')).toBe(1)
  expect(samples.get('opencti_stream_dead_letters')).toBe(1)
  expect(samples.get('opencti_stream_skipped_total{reason="of \\"no\\" interest "}')).toBe(1)
  expect(samples.get('opencti_stream_in_flight_events')).toBe(0)
  expect(samples.get('opencti_stream_in_flight_bytes')).toBe(0)
  expect(samples.get('opencti_stream_lag_seconds')).toBe(0)
  expect(samples.get('opencti_stream_state_writable')).toBe(1)
  expect(samples.get('opencti_stream_checkpoint_age_seconds')).toBeLessThan(3600)
  expect(samples.get('ping_api_total')).toBeGreaterThan(2)
  expect(samples.get('ping_api_errors_total')).toBe(0)
  const hook = (part: string, labels: string) =>
    samples.get(`opencti_stream_hook_duration_seconds_${part}{${labels}}`)
  expect(hook('count', 'hook="create",outcome="ok"')).toBe(creations)
  expect(hook('count', 'hook="create",outcome="error"')).toBe(2)
  expect(hook('bucket', 'hook="create",outcome="ok",le="+Inf"')).toBe(creations)
  expect(samples.has('process_cpu_seconds_total')).toBe(true)
  expect([...samples.keys()].some((name) => name.startsWith('nodejs_'))).toBe(true)
})

test('reports the queue and its age exactly, and how far ahead the head of the stream is', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator, { clock: systemClock, env: { CONNECTOR_CONCURRENCY: '2' } })
  await recorder.start()
  await until('the end of the catch-up', () => !recorder.status().catchingUp)
  await until('all of it', () => recorder.status().inFlight === 0)
  const held = Promise.withResolvers<void>()
  recorder.onCall = () => held.promise
  const first = buildIndicator('ipv4', { seed: 1 })
  for (let seed = 1; seed <= 5; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  await until('five events', () => recorder.status().inFlight === 5)
  const read = async () => samplesOf((await ask(`${recorder.status().endpoints.metrics}/metrics`)).body)
  const atMs = parsePosition(lastEventOf(simulator, first.id))!.ms
  const lowestMs = Date.now() - atMs
  const samples = await read()
  const highestMs = Date.now() - atMs
  const ageMs = samples.get('opencti_stream_oldest_unfinished_age_seconds')! * 1000
  expect(ageMs).toBeGreaterThanOrEqual(lowestMs)
  expect(ageMs).toBeLessThanOrEqual(highestMs)
  const queue = (what: string, state: string) => samples.get(`opencti_stream_queue_${what}{state="${state}"}`)
  expect(queue('events', 'running')).toBe(2)
  expect(queue('events', 'waiting')).toBe(3)
  expect(queue('events', 'retrying')).toBe(0)
  const bytes = queue('bytes', 'running')! + queue('bytes', 'waiting')!
  expect(bytes).toBe(samples.get('opencti_stream_in_flight_bytes'))
  // The heartbeats of an idle stream carry the time of the platform.
  await until('a heartbeat', async () => (await read()).get('opencti_stream_behind_head_seconds')! > 0)
  held.resolve()
  await until('the end', () => recorder.status().inFlight === 0)
  const after = await read()
  expect(after.get('opencti_stream_oldest_unfinished_age_seconds')).toBe(0)
  expect(after.get('opencti_stream_behind_head_seconds')).toBe(0)
})

test('reports the concurrency limit, even while it adapts and while the target is down', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator, {
    env: { CONNECTOR_ADAPTIVE_CONCURRENCY: 'true', CONNECTOR_CONCURRENCY: '4' },
  })
  const told = async () => {
    const { endpoints } = recorder.status()
    const samples = samplesOf((await ask(`${endpoints.metrics}/metrics`)).body)
    const status = JSON.parse((await ask(`${endpoints.health}/status`)).body) as { concurrencyLimit: number }
    expect(samples.get('opencti_stream_concurrency_limit')).toBe(status.concurrencyLimit)
    return status.concurrencyLimit
  }
  expect(recorder.status().concurrencyLimit).toBe(1)
  await recorder.start()
  await caughtUp(recorder)
  let seed = 1
  const publish = (count: number) => {
    for (const end = seed + count; seed < end; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  }
  await until('the limit to grow', async () => {
    publish(50)
    return (await told()) > 1
  })
  await until('all of them', () => recorder.status().inFlight === 0)
  recorder.onCall = () => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  }
  publish(20)
  await until('the outage', () => recorder.status().outage !== undefined)
  expect(await told()).toBe(1)
})

test('names have the namespace and subsystem, as pycti writes them', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator, {
    env: { CONNECTOR_METRICS_NAMESPACE: 'soc', CONNECTOR_METRICS_SUBSYSTEM: 'siem' },
  })
  await recorder.start()
  const samples = samplesOf((await ask(`${recorder.status().endpoints.metrics}/metrics`)).body)
  expect(samples.has('soc_siem_ping_api_total')).toBe(true)
  expect(samples.has('soc_siem_opencti_stream_received_total')).toBe(true)
  expect(samples.has('ping_api_total')).toBe(false)
  expect(samples.has('process_cpu_seconds_total')).toBe(true)
})

test('serves nothing unless it is asked to', async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator, { env: { CONNECTOR_EXPOSE_METRICS: 'false' } })
  await recorder.start()
  const { endpoints } = recorder.status()
  expect(endpoints.metrics).toBeUndefined()
  expect((await ask(`${endpoints.health}/metrics`)).status).toBe(404)
})

test('a distribution puts each value under the first bound that it does not exceed', () => {
  const distribution = new Distribution([1, 2, 5])
  for (const value of [0, 1, 1.5, 2, 3, 7]) distribution.add(value)
  expect([...distribution.counts]).toEqual([2, 2, 1, 1])
  expect(distribution.quantile(0.5)).toBe(2)
  expect(distribution.quantile(1)).toBeNull()
  expect(new Distribution([1]).quantile(0.5)).toBe(0)
})

test('timing a hook costs less than two microseconds per call, and leaves the hook as it is', async () => {
  class Hooks {
    #calls = 0
    extra: (() => string) | undefined
    transform(value: number) {
      this.#calls++
      return value
    }
    create(_value: number) {
      return Promise.reject(new Error(`call ${this.#calls}`))
    }
  }
  const hooks = new Hooks()
  const timings = new HookTimings(systemClock)
  const timed = timings.watch(hooks, ['transform', 'create', 'extra'])
  expect(timed.extra).toBeUndefined()
  await expect(timed.create(1)).rejects.toThrow('call 0')
  const count = 200_000
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const startMs = performance.now()
    for (let index = 0; index < count; index++) timed.transform(index)
    best = Math.min(best, performance.now() - startMs)
  }
  expect(timings.figures.get('transform')!.ok.count).toBe(5 * count)
  expect(timings.figures.get('create')!.error.count).toBe(1)
  expect(timings.figures.has('extra')).toBe(false)
  expect((best / count) * 1000).toBeLessThan(2)
})

test('leaves hooks alone if there are no metrics, and a lazy promise works once', async () => {
  let works = 0
  // As query builders do: the work begins when somebody waits for it, each time.
  const work = new Proxy({} as PromiseLike<number>, {
    has: (_, name) => name === 'then',
    get: (_, name) =>
      name === 'then' ? (onOk: (value: number) => void) => Promise.resolve(++works).then(onOk) : undefined,
  })
  const hooks = { create: () => work }
  expect(new HookTimings(systemClock, false).watch(hooks, ['create'])).toBe(hooks)
  const timings = new HookTimings(systemClock)
  expect(await timings.watch(hooks, ['create']).create()).toBe(1)
  expect(works).toBe(1)
  expect(timings.figures.get('create')!.ok.count).toBe(1)
})

test("serves the author's counters and gauges with ours, without secrets, and bounded", async () => {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator, {
    env: { CONNECTOR_METRICS_NAMESPACE: 'soc', OPENCTI_SSL_PASSPHRASE: 'a-secret-phrase' },
  })
  const blocked = recorder.metrics.counter({ name: 'blocked_total', help: 'Blocked.', labels: ['zone'] })
  const queued = recorder.metrics.gauge({ name: 'queued', help: 'Queued.' })
  blocked.add(2, { zone: 'dmz' })
  blocked.add(1, { zone: 'dmz' })
  blocked.add(1, { zone: 'a-secret-phrase' })
  queued.set(7)
  queued.set(5)
  const many = recorder.metrics.counter({ name: 'many_total', help: 'Many.', labels: ['id'] })
  for (let id = 0; id < 1500; id++) many.add(1, { id })
  await recorder.start()
  const { body } = await ask(`${recorder.status().endpoints.metrics}/metrics`)
  const samples = samplesOf(body)
  expect(samples.get('soc_blocked_total{zone="dmz"}')).toBe(3)
  expect(samples.get('soc_blocked_total{zone="[redacted]"}')).toBe(1)
  expect(samples.get('soc_queued')).toBe(5)
  expect(samples.get('soc_many_total{id="999"}')).toBe(1)
  expect(samples.get('soc_many_total{id="other"}')).toBe(500)
  expect(samples.get('soc_opencti_stream_ready')).toBeDefined()
})

test("refuses an invalid count, number or label of the author's metric at once, and changes nothing", async () => {
  const recorder = makeObserved(await startSimulator())
  const counter = recorder.metrics.counter({ name: 'sent_total', help: 'Sent.', labels: ['zone'] })
  const gauge = recorder.metrics.gauge({ name: 'level', help: 'Level.', labels: ['a', 'b'] })
  recorder.metrics.counter({ name: 'untouched_total', help: 'Never touched.' })
  for (const by of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => counter.add(by)).toThrow(TypeError)
  expect(() => counter.add(1, { elsewhere: 'x' })).toThrow('has no label "elsewhere"')
  expect(() => gauge.set('7' as unknown as number)).toThrow(TypeError)
  expect(() => recorder.metrics.gauge({ name: 'g', help: 'G.', labels: ['not one'] })).toThrow(TypeError)
  counter.add(0, { zone: 'one' })
  counter.add(1.5, { zone: 'one' })
  gauge.set(-2, { b: 'y', a: 'x' })
  gauge.set(-3, { a: 'x', b: 'y' })
  await recorder.start()
  counter.add(1, { zone: 'one' })
  const { body } = await ask(`${recorder.status().endpoints.metrics}/metrics`)
  const own = body.split('\n').filter((line) => /^(?:sent_total|level|untouched_total)/.test(line))
  expect(own).toEqual(['sent_total{zone="one"} 2.5', 'level{a="x",b="y"} -3', 'untouched_total 0'])
})

test('refuses a taken or invalid name when the metric is created', async () => {
  const { metrics } = makeObserved(await startSimulator())
  metrics.gauge({ name: 'queued', help: 'Queued.' })
  for (const name of ['queued', 'opencti_stream_ready', 'opencti_stream_batch_size', 'not a name', ''])
    expect(() => metrics.counter({ name, help: 'Help.' })).toThrow(TypeError)
})
