import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'
import { createInterface } from 'node:readline'
import { importCost, type ImportCost } from './import-cost.ts'
import { median, Table } from './table.ts'

/**
 * `npm run bench`: how fast the connector is, as ratios to a bare loop that was measured between its own runs, each run
 * in a process of its own. `--quick` measures less, for a look while working; `--million` measures a million claims on values.
 */
const quick = process.argv.includes('--quick')
const events = quick ? 30_000 : 100_000
const rounds = quick ? 2 : 9

/**
 * What Node, its parser and a frame that has just come whole may occupy beside the limit of the queue, with what V8 leaves
 * lying about while memory is plentiful: the run in a small heap shows how little of it is needed.
 */
const constantMb = 500

/** A heap that the frames would burst if more of them were kept than the limit of the queue lets in. */
const tightHeapMb = 192

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const server = spawn(process.execPath, [pathOf('./frames-server.ts'), String(events)], {
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
})
const [url] = (await once(createInterface(server.stdout!), 'line')) as [string]

try {
  const [cpu] = cpus()
  console.log(
    `${cpu?.model ?? 'unknown CPU'}, ${cpus().length} CPUs, ${process.platform}, Node ${process.version}`,
  )
  console.log(`${events} frames of 1.5 KB from another process; medians of ${rounds} interleaved runs\n`)
  const load = loadavg()[0]!
  if (load > 1)
    console.log(`The machine is busy (load ${load.toFixed(1)}): trust the ratios of CPU time only.\n`)
  imports()
  await throughput()
  await overhead()
  await latency()
  await observables()
  await claims()
  await memory()
} finally {
  server.disconnect()
}

/** Before anything runs: what a program pays that only extends the class, against a Node with nothing to do. */
function imports(): void {
  const cases = [
    { name: 'empty Node', entry: undefined },
    { name: 'import of the package', entry: 'opencti-stream-connector' },
    { name: 'import of the package/stix', entry: 'opencti-stream-connector/stix' },
  ]
  const costs = cases.map(() => [] as ImportCost[])
  for (let round = 0; round < (quick ? 5 : 20); round++)
    for (const [index, { entry }] of cases.entries()) costs[index]!.push(importCost(entry))
  const table = new Table('Start', 'import ms', 'CPU ms', 'resident MB')
  for (const [index, { name }] of cases.entries()) {
    const of = (read: (cost: ImportCost) => number) => Math.round(median(costs[index]!.map(read)))
    table.add(
      name,
      of(({ importMs }) => importMs),
      of(({ cpuMs }) => cpuMs),
      of(({ residentMb }) => residentMb),
    )
  }
  table.print()
}

async function throughput(): Promise<void> {
  const cases: readonly { readonly name: string; readonly what: string; readonly least?: number }[] = [
    { name: 'bare loop (fetch, eventsource-parser, JSON.parse)', what: 'bare' },
    { name: 'connector, concurrency 16, id map in SQLite', what: 'connector', least: 0.5 },
    { name: 'the same, with all of it saved and the connector stopped', what: 'saved' },
    { name: 'connector, concurrency 16, no id map', what: 'without-map' },
    { name: 'connector, filter by type rejects all', what: 'filter', least: 0.8 },
  ]
  const rates = cases.map(() => [] as number[])
  const cpuRates = cases.map(() => [] as number[])
  for (let round = 0; round < rounds; round++) {
    let result: Record<string, number> = {}
    for (const [index, { what }] of cases.entries()) {
      const isSaved = what === 'saved'
      // That is the end of the run before it.
      if (!isSaved) result = await measure(what, events)
      rates[index]!.push(result[isSaved ? 'savedPerSecond' : 'perSecond']!)
      cpuRates[index]!.push(result[isSaved ? 'savedPerCpuSecond' : 'perCpuSecond']!)
    }
  }
  const table = new Table('From the socket', 'events/s', 'ratio', 'events/CPU-s', 'ratio', 'target')
  for (const [index, { name, least }] of cases.entries()) {
    // Each run against the bare loop of its own round: what else the machine does then weighs on both.
    const ratio = median(rates[index]!.map((rate, round) => rate / rates[0]![round]!))
    const cpuRatio = median(cpuRates[index]!.map((rate, round) => rate / cpuRates[0]![round]!))
    table.add(
      name,
      Math.round(median(rates[index]!)),
      ratio.toFixed(2),
      Math.round(median(cpuRates[index]!)),
      cpuRatio.toFixed(2),
      least === undefined ? '' : verdict(ratio >= least, `>= ${least}`),
    )
  }
  table.print()
}

/** What it costs to be seen, as ratios to the same connector in the dark. */
async function overhead(): Promise<void> {
  const cases = ['connector', 'observed'] as const
  const ratios: number[] = []
  const cpuRatios: number[] = []
  for (let round = 0; round < rounds; round++) {
    // Each is first as often as second: the one before leaves the machine warm.
    const results = new Map<string, Record<string, number>>()
    for (const what of round % 2 === 0 ? cases : cases.toReversed()) {
      results.set(what, await measure(what, events))
    }
    const [dark, seen] = cases.map((what) => results.get(what)!)
    ratios.push(seen!['perSecond']! / dark!['perSecond']!)
    cpuRatios.push(seen!['perCpuSecond']! / dark!['perCpuSecond']!)
  }
  const table = new Table('Logs at info and metrics, against neither', 'events/s', 'events/CPU-s', 'target')
  const [ratio, cpuRatio] = [median(ratios), median(cpuRatios)]
  table.add('ratio', ratio.toFixed(2), cpuRatio.toFixed(2), verdict(cpuRatio >= 0.9, '>= 0.9 of CPU'))
  table.print()
}

async function latency(): Promise<void> {
  const table = new Table('Target of 20 ms', 'events/s', 'concurrency/latency', 'ratio', 'target')
  for (const concurrency of quick ? [128] : [1, 8, 32, 128]) {
    const { perSecond } = await measure('latency', concurrency)
    const possible = concurrency / 0.02
    const ratio = perSecond! / possible
    table.add(
      `concurrency ${concurrency}`,
      Math.round(perSecond!),
      possible,
      ratio.toFixed(2),
      verdict(ratio >= 0.9, '>= 0.9'),
    )
  }
  table.print()
}

async function observables(): Promise<void> {
  const table = new Table('observablesOf', 'indicators/s', 'target')
  const calls = quick ? 200_000 : 1_000_000
  for (const [what, name, least] of [
    ['values', 'observable_values', 200_000],
    ['pattern', 'pattern', 50_000],
  ] as const) {
    const rates: number[] = []
    for (let round = 0; round < (quick ? 1 : 3); round++)
      rates.push((await measure(what, calls))['perSecond']!)
    table.add(name, Math.round(median(rates)), verdict(median(rates) >= least, `>= ${least}`))
  }
  table.print()
}

/** A target that holds values: a hundred of each entity, half of all claims on keys that another entity claims too. */
async function claims(): Promise<void> {
  const count = process.argv.includes('--million') ? 1_000_000 : quick ? 20_000 : 100_000
  const { fresh, known, shared, peakMb, bytesPerClaim } = (await measure('claims', count)) as Record<
    string,
    number
  >
  const table = new Table(`Claims, twice ${count}`, 'claims/s')
  table.add('on new keys, a call each', Math.round(fresh!))
  table.add('known, one of a hundred changes', Math.round(known!))
  table.add('on the keys of others, no call', Math.round(shared!))
  table.add('peak memory in MB', Math.round(peakMb!))
  table.add('bytes of the state for each', Math.round(bytesPerClaim!))
  table.print()
}

async function memory(): Promise<void> {
  const silent = await measure('memory', quick ? 5 : 40)
  const table = new Table('Memory, 20 frames of 20 MB among the events', 'MB', 'target')
  const bound = silent['limitMb']! + constantMb
  table.add('at the start', Math.round(silent['startMb']!), '')
  table.add(
    `held: ${silent['heldEvents']} events (limit ${Math.round(silent['limitMb']!)} MB)`,
    Math.round(silent['heldMb']!),
    '',
  )
  table.add(
    'peak, target that never answers',
    Math.round(silent['peakMb']!),
    verdict(silent['peakMb']! <= bound, `<= limit + ${constantMb} MB`),
  )
  table.add('highest in the first half', Math.round(silent['firstHalfMb']!), '')
  table.add(
    'highest in the second half',
    Math.round(silent['secondHalfMb']!),
    verdict(silent['secondHalfMb']! <= silent['firstHalfMb']! * 1.02, 'not more'),
  )
  if (!quick) {
    const large = await measure('large-frames', 0)
    table.add(
      'peak, all 20 frames through a target of 20 ms',
      Math.round(large['peakMb']!),
      verdict(large['peakMb']! <= bound, `<= limit + ${constantMb} MB`),
    )
    const tight = await measure('large-frames', 0, [`--max-old-space-size=${tightHeapMb}`])
    table.add(`the same, with a heap of ${tightHeapMb} MB`, Math.round(tight['peakMb']!), 'does not die')
  }
  table.print()
}

function verdict(isMet: boolean, target: string): string {
  return `${target} ${isMet ? 'met' : 'MISSED'}`
}

/** One measurement in a process of its own. */
async function measure(
  what: string,
  number: number,
  nodeOptions: readonly string[] = [],
): Promise<Record<string, number>> {
  const child: ChildProcess = spawn(
    process.execPath,
    [...nodeOptions, pathOf('./measure.ts'), what, url, String(number)],
    { stdio: 'pipe' },
  )
  // The log goes through a pipe, as a container's does.
  const [output, log, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'exit'),
  ])
  if (code !== 0) throw new Error(`The measurement "${what}" failed.\n${log}`)
  return JSON.parse(output) as Record<string, number>
}
