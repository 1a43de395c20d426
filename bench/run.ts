import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { RedisServer, hasRedis } from '../test/fixtures/redis-server.ts'
import { hasPostgresql, PostgresqlServer } from '../test/postgresql/start-postgresql.ts'
import { goals } from './goals.ts'
import { startCosts } from './start-costs.ts'
import { nameOf, type FrameStream } from './live-frames.ts'
import { median, Table } from './table.ts'

/**
 * `npm run bench`: the connector's speed compared with other clients of the same stream. Each measurement runs in a separate
 * process. The measurements of a table take turns, and ratios are of the same round, so other load affects all of them.
 */
const usage = `Usage: npm run bench -- [options]
  --full              more events and rounds, and the long tests of memory: half an hour instead of a few minutes
  --only <group>      one group of tables: start, events, shapes, catchUp, targets, observables, claims, states, or memory
  --profile           only shows where the time of an event goes
  --json <file>       also writes the figures, the machine, and the versions
  --python <program>  a Python with pycti; python3 by default`
const { values: options } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    profile: { type: 'boolean', default: false },
    json: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(usage)
  process.exit()
}
const { full } = options
const events = full ? 100_000 : 40_000
const rounds = full ? 7 : 3

type Figures = Readonly<Record<string, number>>

/** One row of a table; `measure` returns undefined if it cannot be measured. */
interface Case {
  readonly name: string
  readonly measure: () => Promise<Figures | undefined>
}

const ordinary: FrameStream = { kind: 'create', count: events, frameBytes: 1536, chunkBytes: 65_536 }
const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const server = spawn(process.execPath, [pathOf('./frames-server.ts')], {
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
})
const [url] = (await once(createInterface(server.stdout!), 'line')) as [string]
const pycti = pyctiVersion()
const results: Record<string, unknown> = {}

try {
  const machine = machineFacts()
  results['machine'] = machine
  console.log(Object.values(machine).join(', '))
  console.log(
    `${events} frames of 1.5 KB from another process, unless stated otherwise; medians of ${rounds} interleaved runs`,
  )
  const load = loadavg()[0]!
  if (load > 1)
    console.log(`The machine is busy (load ${load.toFixed(1)}): trust the ratios of CPU time only.`)
  console.log()
  const groups: Readonly<Record<string, () => Promise<void>>> = options.profile
    ? { profile }
    : { start, events: throughput, shapes, catchUp, targets, observables, claims, states, memory }
  if (options.only !== undefined && groups[options.only] === undefined) {
    throw new Error(`Unknown group "${options.only}". Groups: ${Object.keys(groups).join(', ')}.`)
  }
  for (const [name, group] of Object.entries(groups)) {
    if (options.only === undefined || options.only === name) await group()
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
} finally {
  server.disconnect()
}

function machineFacts(): Readonly<Record<string, string>> {
  const versionOf = (name: string) => {
    const { version } = JSON.parse(readFileSync(pathOf(`../node_modules/${name}/package.json`), 'utf8')) as {
      version: string
    }
    return `${name} ${version}`
  }
  return {
    cpu: cpus()[0]?.model ?? 'unknown CPU',
    cpus: `${cpus().length} CPUs`,
    memory: `${Math.round(totalmem() / 1e9)} GB`,
    platform: process.platform,
    node: `Node ${process.version}`,
    parser: versionOf('eventsource-parser'),
    eventsource: versionOf('eventsource'),
    client: versionOf('eventsource-client'),
    undici: versionOf('undici'),
    pycti: pycti === undefined ? `no pycti (${options.python} cannot import it)` : `pycti ${pycti}`,
  }
}

/** Costs of a program before its first event, compared with an empty Node process. */
async function start(): Promise<void> {
  const costs = startCosts(url, nameOf({ ...ordinary, count: 1000 }), full ? 20 : 7)
  results['start'] = costs
  const table = new Table('Start', 'ms', 'CPU ms', 'resident MB', 'ms over empty Node')
  const empty = costs[0]!
  for (const { name, ms, cpuMs, residentMb } of costs) {
    table.add(name, Math.round(ms), Math.round(cpuMs), Math.round(residentMb), Math.round(ms - empty.ms))
  }
  table.print()
}

async function throughput(): Promise<void> {
  const updates: FrameStream = { ...ordinary, kind: 'update' }
  await compare('events', 'From the socket', [
    peer('fetch', 'bare: fetch, eventsource-parser, JSON.parse'),
    peer('node:http', 'bare: node:http in its place'),
    peer('undici', 'bare: undici.request in its place'),
    peer('eventsource', 'eventsource, JSON.parse'),
    peer('eventsource-client', 'eventsource-client, JSON.parse, awaited handler'),
    {
      name: 'written by hand: one by one, ids and state',
      measure: () => measure('hand-written', { stream: nameOf(ordinary) }),
    },
    {
      name: `pycti${pycti === undefined ? '' : ` ${pycti}`}, json.loads`,
      measure: () => measurePycti(nameOf(ordinary)),
    },
    connector('connector: new entities'),
    connector('connector: known entities', updates),
    connector('connector: hot entities, a hundred', { ...ordinary, kind: 'hot' }),
    connector('connector: new entities, no id map', ordinary, { CONNECTOR_ID_MAP: 'false' }),
    connector('connector: filter by type rejects all', ordinary, { CONNECTOR_FILTER_TYPES: 'report' }),
    {
      name: 'connector: new, log at info, metrics asked for',
      measure: () => measure('observed', { stream: nameOf(ordinary) }),
    },
  ])
}

/** Frames and chunks of other sizes, each compared with the bare loop on the same stream. */
async function shapes(): Promise<void> {
  const sizes: readonly (readonly [string, FrameStream])[] = [
    ['0.5 KB', { ...ordinary, frameBytes: 512 }],
    ['20 KB', { ...ordinary, frameBytes: 20_000, count: events / 20 }],
    ['200 KB', { ...ordinary, frameBytes: 200_000, count: events / 100 }],
    ['20 MB', { ...ordinary, frameBytes: 20_000_000, count: 20 }],
    ['1.5 KB, a write for each', { ...ordinary, chunkBytes: 0 }],
    ['1.5 KB, writes of 1 MB', { ...ordinary, chunkBytes: 1_000_000 }],
  ]
  for (const [name, stream] of sizes) {
    await compare(`frames of ${name}`, `Frames of ${name}`, [
      peer('fetch', 'bare: fetch, eventsource-parser, JSON.parse', stream),
      connector('connector: new entities', stream),
    ])
  }
}

/** Existing entities, from a simulated platform in a separate process. */
async function catchUp(): Promise<void> {
  const platformServer = spawn(process.execPath, [pathOf('./catch-up-server.ts'), String(events)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  try {
    const [line] = (await once(createInterface(platformServer.stdout!), 'line')) as [string]
    const parameters = { platform: JSON.parse(line) as object, number: events }
    await compare('catch-up', `Catch-up of ${events} entities from the simulator`, [
      {
        name: 'bare: fetch, eventsource-parser, JSON.parse',
        measure: () => measure('bare-catch-up', parameters),
      },
      { name: 'connector', measure: () => measure('catch-up', parameters) },
    ])
  } finally {
    platformServer.disconnect()
  }
}

async function targets(): Promise<void> {
  const bulk = (items: number): Case => ({
    name: `connector: batches of ${items} to an HTTP sink`,
    measure: () =>
      measure('bulk', {
        stream: nameOf(ordinary),
        env: { CONNECTOR_BATCH_MAX_ITEMS: String(items), CONNECTOR_BATCH_MAX_WAIT_MS: '100' },
      }),
  })
  await compare('batches', 'Batches', [
    peer('fetch', 'bare: fetch, eventsource-parser, JSON.parse'),
    {
      name: 'bare: the same, batches of 1000 sent with fetch',
      measure: () => measure('bare-batches', { stream: nameOf(ordinary) }),
    },
    bulk(100),
    bulk(1000),
  ])
  const table = new Table('Targets that take time', 'events/s', 'possible', 'ratio')
  const row = (name: string, perSecond: number, possible: number) => {
    results[name] = { perSecond, possible, ratio: perSecond / possible }
    table.add(name, Math.round(perSecond), Math.round(possible), (perSecond / possible).toFixed(2))
  }
  for (const concurrency of full ? [1, 8, 32, 128] : [128]) {
    const { perSecond } = await measure('latency', { stream: nameOf(ordinary), number: concurrency })
    row(`hooks of 20 ms, ${concurrency} at a time`, perSecond!, concurrency / 0.02)
    const plain = await measure('plain-latency', { number: concurrency })
    row(`a plain loop of the same waits`, plain['perSecond']!, concurrency / 0.02)
  }
  for (const latencyMs of [2, 50]) {
    const ratios: [number, number][] = []
    for (let round = 0; round < rounds; round++) {
      const plain = await measure('plain-http', { number: 64, latencyMs })
      const ours = await measure('http', { stream: nameOf(ordinary), number: 64, latencyMs })
      ratios.push([ours['perSecond']!, plain['perSecond']!])
    }
    const [ours, plain] = ratios.toSorted(([a, b], [c, d]) => a / b - c / d)[Math.floor(rounds / 2)]!
    row(`requests of ${latencyMs} ms, 64 at a time, against a plain loop of fetch`, ours, plain)
  }
  table.print()
}

async function observables(): Promise<void> {
  const table = new Table('observablesOf', 'indicators/s')
  for (const [what, name] of [
    ['values', 'observable_values'],
    ['pattern', 'pattern'],
  ] as const) {
    const { perSecond } = await measure(what, { number: full ? 1_000_000 : 200_000 })
    results[`observables of ${name}`] = { perSecond }
    table.add(name, Math.round(perSecond!))
  }
  table.print()
}

/** A target that holds values: a hundred per entity, and half of the keys claimed by a second entity. */
async function claims(): Promise<void> {
  const count = full ? 1_000_000 : 20_000
  const figures = await measure('claims', { number: count })
  results['claims'] = figures
  const { fresh, known, shared, peakMb, bytesPerClaim } = figures
  const table = new Table(`Claims, twice ${count}`, 'claims/s')
  table.add('on new keys, a call each', Math.round(fresh!))
  table.add('known, one of a hundred changes', Math.round(known!))
  table.add('on the keys of others, no call', Math.round(shared!))
  table.add('peak memory in MB', Math.round(peakMb!))
  table.add('bytes of the state for each', Math.round(bytesPerClaim!))
  table.print()
}

/** The state in a database on this machine, compared with the file. */
async function states(): Promise<void> {
  const stack = new AsyncDisposableStack()
  try {
    const postgresql = hasPostgresql ? stack.use(await PostgresqlServer.start({ syncs: true })) : undefined
    const settings = { appendfsync: 'everysec' }
    const redis = hasRedis ? stack.use(await RedisServer.start({ isPersistent: true, settings })) : undefined
    const urls: Readonly<Record<string, () => Promise<string | undefined>>> = {
      PostgreSQL: async () => postgresql?.database(),
      Redis: async () => {
        await redis?.command('FLUSHALL')
        return redis?.url
      },
    }
    for (const [title, stream] of [
      ['new entities', ordinary],
      ['known entities', { ...ordinary, kind: 'update' }],
    ] as const) {
      const what = stream.kind === 'create' ? 'connector' : 'known'
      const remote = Object.entries(urls).map(([name, make]): Case => ({
        name: `in ${name}`,
        measure: async () => {
          const address = await make()
          if (address === undefined) return undefined
          return measure(what, { stream: nameOf(stream), env: { CONNECTOR_STATE_URL: address } })
        },
      }))
      await compare(`state, ${title}`, `State, ${title}`, [connector('in a file', stream), ...remote])
    }
  } finally {
    await stack.disposeAsync()
  }
}

async function memory(): Promise<void> {
  const table = new Table('Memory, 20 frames of 20 MB among the events', 'MB')
  const row = (name: string, mb: number) => {
    results[name] = { mb }
    table.add(name, Math.round(mb))
  }
  const idle = await measure('idle', { stream: nameOf({ ...ordinary, count: 1 }) })
  row('a connector that waits for events', idle['residentMb']!)
  row('its heap', idle['heapMb']!)
  const silent = await measure('memory', { number: full ? 40 : 8 })
  row(`held: ${silent['heldEvents']} events (limit ${Math.round(silent['limitMb']!)} MB)`, silent['heldMb']!)
  row('peak, target that never answers', silent['peakMb']!)
  row('highest in the first half', silent['firstHalfMb']!)
  row('highest in the second half', silent['secondHalfMb']!)
  if (full) {
    row('peak, all 20 frames through a target of 20 ms', (await measure('large-frames', {}))['peakMb']!)
    const tight = await measure('large-frames', {}, ['--max-old-space-size=192'])
    row('the same, with a heap of 192 MB', tight['peakMb']!)
  }
  table.print()
}

async function profile(): Promise<void> {
  for (const [name, stream] of [
    ['new entities', ordinary],
    ['known entities', { ...ordinary, kind: 'update' }],
  ] as const) {
    const runs: Figures[] = []
    for (let round = 0; round < rounds; round++)
      runs.push(await measure('profile', { stream: nameOf(stream) }))
    const stages = new Set(runs.flatMap((run) => Object.keys(run)))
    const costs = [...stages].map((stage) => [stage, median(runs.map((run) => run[stage] ?? 0))] as const)
    const table = new Table(`Main thread, ${name}`, 'µs an event')
    results[`profile of ${name}`] = Object.fromEntries(costs)
    for (const [stage, us] of costs.toSorted(([, one], [, other]) => other - one)) {
      if (us >= 0.1) table.add(stage, us.toFixed(1))
    }
    table.add('all', costs.reduce((sum, [, us]) => sum + us, 0).toFixed(1))
    table.print()
  }
}

function peer(peerName: string, name: string, stream = ordinary): Case {
  return { name, measure: () => measure('peer', { peer: peerName, stream: nameOf(stream) }) }
}

function connector(name: string, stream = ordinary, env: Readonly<Record<string, string>> = {}): Case {
  const what = stream.kind === 'create' ? 'connector' : 'known'
  return { name, measure: () => measure(what, { stream: nameOf(stream), env }) }
}

/** Measures all cases in turns; ratios are to the first one. */
async function compare(key: string, title: string, cases: readonly Case[]): Promise<void> {
  const runs = cases.map(() => [] as (Figures | undefined)[])
  for (let round = 0; round < rounds; round++) {
    // Alternate the order, because the first one finds the machine cold.
    const order = [...cases.keys()]
    for (const index of round % 2 === 0 ? order : order.toReversed())
      runs[index]!.push(await cases[index]!.measure())
  }
  const table = new Table(title, 'events/s', 'ratio', 'events/CPU-s', 'ratio', 'peak MB', 'goal')
  const figures: Record<string, Figures> = {}
  for (const [index, { name }] of cases.entries()) {
    const own = runs[index]!.filter((run) => run !== undefined)
    if (own.length < rounds) {
      table.add(name, 'not here', '', '', '', '', '')
      continue
    }
    const of = (field: string) => median(own.map((run) => run[field]!))
    const ratioOf = (field: string) => median(own.map((run, round) => run[field]! / runs[0]![round]![field]!))
    const figure = {
      perSecond: of('perSecond'),
      ratio: ratioOf('perSecond'),
      perCpuSecond: of('perCpuSecond'),
      cpuRatio: ratioOf('perCpuSecond'),
      peakMb: of('peakMb'),
      ...(own[0]!['stateBytes'] === undefined ? {} : { stateBytesPerEvent: of('stateBytes') / events }),
    }
    figures[name] = figure
    const goal = goals[`${key}: ${name}`]
    const isMet =
      goal === undefined || (figure.ratio >= goal.ratio && figure.cpuRatio >= (goal.cpuRatio ?? 0))
    table.add(
      name,
      Math.round(figure.perSecond),
      figure.ratio.toFixed(2),
      Math.round(figure.perCpuSecond),
      figure.cpuRatio.toFixed(2),
      Math.round(figure.peakMb),
      goal === undefined
        ? ''
        : `${goal.ratio.toFixed(2)}, ${goal.cpuRatio?.toFixed(2) ?? '-'} ${isMet ? 'met' : 'MISSED'}`,
    )
  }
  results[key] = figures
  table.print()
}

/** Runs one measurement in a separate process. */
async function measure(
  what: string,
  parameters: object,
  nodeOptions: readonly string[] = [],
): Promise<Figures> {
  const child = spawn(
    process.execPath,
    [...nodeOptions, pathOf('./measure.ts'), what, url, JSON.stringify(parameters)],
    { stdio: 'pipe' },
  )
  // The log goes through a pipe, as in a container.
  const [output, log, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  if (code !== 0) throw new Error(`The measurement "${what}" failed.\n${log}`)
  return JSON.parse(output) as Figures
}

async function measurePycti(stream: string): Promise<Figures | undefined> {
  if (pycti === undefined) return undefined
  const child = spawn(options.python, [pathOf('./pycti-loop.py'), url, stream, String(events)], {
    stdio: 'pipe',
  })
  const [output, log, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  if (code !== 0) throw new Error(`The measurement of pycti failed.\n${log}`)
  return JSON.parse(output) as Figures
}

function pyctiVersion(): string | undefined {
  const { status, stdout } = spawnSync(options.python, ['-c', 'import pycti; print(pycti.__version__)'], {
    encoding: 'utf8',
  })
  return status === 0 ? stdout.trim().split('\n').at(-1) : undefined
}
