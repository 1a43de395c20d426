import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { bareBatches } from './bare-batches.ts'
import {
  Bench,
  BulkConnector,
  HttpConnector,
  NoOpConnector,
  SilentConnector,
  SlowConnector,
} from './bench-connector.ts'
import { bareCatchUp, measureCatchUp, type PlatformSettings } from './catch-up.ts'
import { measureClaims } from './claims.ts'
import { handWritten } from './hand-written.ts'
import { nameOf, streamOf } from './live-frames.ts'
import { measureObservables } from './observables.ts'
import { peers } from './peers.ts'
import { profiled } from './profiled.ts'
import { type Rate, Stopwatch } from './stopwatch.ts'

/**
 * One measurement in a fresh process: `node bench/measure.ts <what> <address of the frames server> <parameters as JSON>`.
 * Writes its result as JSON to standard output.
 */
const [, , what = '', url = '', json = '{}'] = process.argv

/** Parameters. Each measurement reads some of them. */
const parameters = JSON.parse(json) as {
  readonly peer?: string
  readonly stream?: string
  readonly env?: Readonly<Record<string, string>>
  readonly number?: number
  readonly latencyMs?: number
  readonly platform?: PlatformSettings
}
const { stream = '', env = {}, number = 0 } = parameters
const itemUrl = `${url}/item?ms=${parameters.latencyMs ?? 0}`
const events = stream === '' ? 0 : streamOf(stream).count

const measurements: Readonly<Record<string, () => Promise<object>>> = {
  peer: () => peers[parameters.peer!]!(`${url}/stream/${stream}`, events),
  'hand-written': () => handWritten(`${url}/stream/${stream}`, events),
  connector: () => whole(),
  known: () => known(whole),
  observed: () => observed(),
  profile: () => profile(),
  bulk: () => bulk(),
  'bare-batches': () => bareBatches(`${url}/stream/${stream}`, `${url}/items`, events),
  'catch-up': () => measureCatchUp(parameters.platform!, number),
  'bare-catch-up': () => bareCatchUp(parameters.platform!, number),
  latency: () => slowTarget(number),
  'plain-latency': () => plainLatency(number),
  http: () => httpTarget(number),
  'plain-http': () => plainHttp(number),
  idle: () => idle(),
  memory: () => silentTarget(number),
  'large-frames': () => largeFrames(),
  values: async () => measureObservables('values', number),
  claims: () => measureClaims(number),
  pattern: async () => measureObservables('pattern', number),
}

const measure = measurements[what]
if (measure === undefined) throw new Error(`There is no measurement "${what}".`)
console.log(JSON.stringify(await measure()))
// The process would wait for calls that the target never answered.
process.exit()

/** The result of one run of a connector. */
interface Run extends Rate {
  /** The same, including the last save and the stop. */
  readonly savedPerSecond: number
  readonly savedPerCpuSecond: number
  /** Only of a file. */
  readonly stateBytes?: number
}

/** From the open stream to the end of the last event, and to the saved position of the stopped connector. */
async function whole(
  directory?: string,
  Connector: typeof NoOpConnector | typeof BulkConnector = NoOpConnector,
): Promise<Run> {
  const settings = { CONNECTOR_CONCURRENCY: '16', ...env }
  await using bench = new Bench(Connector, url, stream, { env: settings, directory })
  await bench.start()
  const stopwatch = new Stopwatch()
  await bench.finished(events)
  const rate = stopwatch.rate(events)
  await bench.connector.stop()
  const saved = stopwatch.rate(events)
  const counters = bench.connector.status()
  if (counters.inFlight !== 0 || counters.deadLettered !== 0 || counters.received !== events) {
    throw new Error(`The counters do not balance: ${JSON.stringify(counters)}`)
  }
  return {
    ...rate,
    savedPerSecond: saved.perSecond,
    savedPerCpuSecond: saved.perCpuSecond,
    ...(env['CONNECTOR_STATE_URL'] === undefined && {
      stateBytes: statSync(join(bench.directory, 'bench.sqlite')).size,
    }),
  }
}

/** Measures with a state that already has all entities. */
async function known<T>(measured: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    const creates = nameOf({ ...streamOf(stream), kind: 'create' })
    {
      await using bench = new Bench(NoOpConnector, url, creates, {
        directory,
        env: { CONNECTOR_CONCURRENCY: '16', ...env },
      })
      await bench.start()
      await bench.finished(events)
      await bench.connector.stop()
    }
    return await measured(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Microseconds per event, by stage. */
async function profile(): Promise<object> {
  const measured = (directory?: string) => profiled(() => whole(directory), events)
  return streamOf(stream).kind === 'create' ? measured() : known(measured)
}

async function bulk(): Promise<Run> {
  BulkConnector.url = `${url}/items`
  return whole(undefined, BulkConnector)
}

/** With logs and metrics enabled, and a scrape every second. */
async function observed(): Promise<Rate> {
  const settings = {
    CONNECTOR_CONCURRENCY: '16',
    CONNECTOR_LOG_LEVEL: 'info',
    CONNECTOR_EXPOSE_METRICS: 'true',
    CONNECTOR_METRICS_HOST: '127.0.0.1',
    CONNECTOR_METRICS_PORT: '0',
    CONNECTOR_HEALTH_PORT: '0',
  }
  await using bench = new Bench(NoOpConnector, url, stream, { env: settings, logs: true })
  await bench.start()
  const { metrics } = bench.connector.status().endpoints
  let looks = 0
  // Without fetch, whose own start would count as a cost of the metrics.
  const look = () =>
    void get(`${metrics}/metrics`, async (response) => {
      if ((await text(response)).includes('opencti_stream_received_total')) looks++
    })
  const timer = setInterval(look, 1000)
  const stopwatch = new Stopwatch()
  look()
  await bench.finished(events)
  const rate = stopwatch.rate(events)
  clearInterval(timer)
  if (looks === 0) throw new Error('Nobody could look at the metrics.')
  return rate
}

/** Events per second at a target that answers after 20 ms, once everything is warm. */
async function slowTarget(concurrency: number): Promise<{ readonly perSecond: number }> {
  await using bench = new Bench(SlowConnector, url, stream, {
    env: { CONNECTOR_CONCURRENCY: String(concurrency) },
  })
  await bench.start()
  return { perSecond: await steadily(() => bench.connector.status().delivered) }
}

/** The same waits in a loop that does nothing else. */
async function plainLatency(concurrency: number): Promise<{ readonly perSecond: number }> {
  let done = 0
  const loop = async () => {
    for (;;) {
      await sleep(SlowConnector.latencyMs)
      done++
    }
  }
  for (let index = 0; index < concurrency; index++) void loop()
  return { perSecond: await steadily(() => done) }
}

/** Events per second at a target that takes one request per event. */
async function httpTarget(concurrency: number): Promise<{ readonly perSecond: number }> {
  HttpConnector.url = itemUrl
  await using bench = new Bench(HttpConnector, url, stream, {
    env: { CONNECTOR_CONCURRENCY: String(concurrency) },
  })
  await bench.start()
  return { perSecond: await steadily(() => bench.connector.status().delivered) }
}

/** The same requests in a loop that does nothing else. */
async function plainHttp(concurrency: number): Promise<{ readonly perSecond: number }> {
  let done = 0
  const headers = { 'content-type': 'application/json' }
  const loop = async () => {
    for (;;) {
      const response = await fetch(itemUrl, { method: 'POST', headers, body: '{"id":1}' })
      await response.json()
      done++
    }
  }
  for (let index = 0; index < concurrency; index++) loop().catch(() => {})
  return { perSecond: await steadily(() => done) }
}

async function steadily(count: () => number): Promise<number> {
  await sleep(1000)
  const before = count()
  const stopwatch = new Stopwatch()
  await sleep(2500)
  return (count() - before) / stopwatch.seconds
}

/** Memory of a connector that waits for events, in MB. */
async function idle(): Promise<{ readonly residentMb: number; readonly heapMb: number }> {
  await using bench = new Bench(NoOpConnector, url, stream)
  await bench.start()
  await sleep(3000)
  return { residentMb: rssMb(), heapMb: process.memoryUsage().heapUsed / 1e6 }
}

/** Memory of the process while the target does not answer for this many seconds, in MB. */
async function silentTarget(seconds: number): Promise<object> {
  const startMb = rssMb()
  await using bench = new Bench(SilentConnector, url, 'mixed')
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

/** Memory of the process while it processes all large frames, in MB. */
async function largeFrames(): Promise<object> {
  await using bench = new Bench(SlowConnector, url, 'mixed')
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
