import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { bareLoop } from './bare-loop.ts'
import { Bench, NoOpConnector, SilentConnector, SlowConnector } from './bench-connector.ts'
import { measureClaims } from './claims.ts'
import { measureObservables } from './observables.ts'
import { type Rate, Stopwatch } from './stopwatch.ts'

/**
 * One measurement in a fresh process: `node bench/measure.ts <what> <address of the frames server> <number>`.
 * Writes its result as JSON to standard output.
 */
const [, , what = '', url = '', number = '0'] = process.argv

const measurements: Readonly<Record<string, () => Promise<object>>> = {
  bare: () => bareLoop(url, Number(number)),
  connector: () => whole({ CONNECTOR_CONCURRENCY: '16' }),
  'without-map': () => whole({ CONNECTOR_CONCURRENCY: '16', CONNECTOR_ID_MAP: 'false' }),
  observed: () => observed(),
  filter: () => whole({ CONNECTOR_FILTER_TYPES: 'report' }),
  latency: () => slowTarget(Number(number)),
  memory: () => silentTarget(Number(number)),
  'large-frames': () => largeFrames(),
  values: async () => measureObservables('values', Number(number)),
  claims: () => measureClaims(Number(number)),
  pattern: async () => measureObservables('pattern', Number(number)),
}

const measure = measurements[what]
if (measure === undefined) throw new Error(`There is no measurement "${what}".`)
console.log(JSON.stringify(await measure()))
// What the target never answered is still waited for.
process.exit()

/** From the open stream to the end of the last event; and to its saved position, with the connector stopped. */
async function whole(
  env: Readonly<Record<string, string>>,
): Promise<Rate & { readonly savedPerSecond: number; readonly savedPerCpuSecond: number }> {
  await using bench = new Bench(NoOpConnector, url, 'events', env)
  await bench.start()
  const stopwatch = new Stopwatch()
  await bench.finished(Number(number))
  const rate = stopwatch.rate(Number(number))
  await bench.connector.stop()
  const saved = stopwatch.rate(Number(number))
  const counters = bench.connector.status()
  if (counters.inFlight !== 0 || counters.deadLettered !== 0 || counters.received !== Number(number)) {
    throw new Error(`The counters do not balance: ${JSON.stringify(counters)}`)
  }
  return { ...rate, savedPerSecond: saved.perSecond, savedPerCpuSecond: saved.perCpuSecond }
}

/** The same with everything on that lets people see what it does, and somebody who looks each second. */
async function observed(): Promise<Rate> {
  const env = {
    CONNECTOR_CONCURRENCY: '16',
    CONNECTOR_LOG_LEVEL: 'info',
    CONNECTOR_EXPOSE_METRICS: 'true',
    CONNECTOR_METRICS_HOST: '127.0.0.1',
    CONNECTOR_METRICS_PORT: '0',
    CONNECTOR_HEALTH_PORT: '0',
  }
  await using bench = new Bench(NoOpConnector, url, 'events', env, true)
  await bench.start()
  const { metrics } = bench.connector.status().endpoints
  let looks = 0
  // Not with fetch: its own start would be taken for a cost of the metrics.
  const look = () =>
    void get(`${metrics}/metrics`, async (response) => {
      if ((await text(response)).includes('opencti_stream_received_total')) looks++
    })
  const timer = setInterval(look, 1000)
  const stopwatch = new Stopwatch()
  look()
  await bench.finished(Number(number))
  const rate = stopwatch.rate(Number(number))
  clearInterval(timer)
  if (looks === 0) throw new Error('Nobody could look at the metrics.')
  return rate
}

/** Events per second at a target that answers after 20 ms, once everything is warm. */
async function slowTarget(concurrency: number): Promise<{ readonly perSecond: number }> {
  await using bench = new Bench(SlowConnector, url, 'events', { CONNECTOR_CONCURRENCY: String(concurrency) })
  await bench.start()
  await sleep(1000)
  const before = bench.connector.status().delivered
  const stopwatch = new Stopwatch()
  await sleep(2500)
  return { perSecond: (bench.connector.status().delivered - before) / stopwatch.seconds }
}

/** The memory of the process while the target says nothing for so many seconds, in MB. */
async function silentTarget(seconds: number): Promise<object> {
  const startMb = rssMb()
  await using bench = new Bench(SilentConnector, url, 'large')
  await bench.start()
  const samples: number[] = []
  for (let tenth = 0; tenth < seconds * 10; tenth++) {
    await sleep(100)
    samples.push(rssMb())
  }
  const { inFlight, bytesInFlight } = bench.connector.status()
  const half = Math.floor(samples.length / 2)
  return {
    startMb,
    peakMb: Math.max(...samples),
    firstHalfMb: Math.max(...samples.slice(0, half)),
    secondHalfMb: Math.max(...samples.slice(half)),
    heldEvents: inFlight,
    heldMb: bytesInFlight / 1e6,
    limitMb: bench.connector.delivery.queue.maxBytes / 1e6,
  }
}

/** The memory of the process while it works through all the large frames, in MB. */
async function largeFrames(): Promise<object> {
  await using bench = new Bench(SlowConnector, url, 'large')
  let peakMb = 0
  const sample = () => {
    peakMb = Math.max(peakMb, rssMb())
  }
  const timer = setInterval(sample, 20)
  await bench.start()
  const stopwatch = new Stopwatch()
  await bench.finished(1020)
  clearInterval(timer)
  return { peakMb, seconds: stopwatch.seconds }
}

function rssMb(): number {
  return process.memoryUsage.rss() / 1e6
}
