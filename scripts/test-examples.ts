// `npm run examples:test [-- name… --minutes N --json FILE]`: the examples against their real servers, which it installs.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { findExamples, type Example } from './examples/example.ts'
import { installedVersion, installNeeds } from './examples/install-needs.ts'
import { runExample } from './examples/run-example.ts'

/** How many are tested at once: half of the time of a test is waiting. */
const lanes = 2

/** What one example takes on a quiet machine, in milliseconds: with less time left, none begins. */
const usualMs = 60_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string' }, json: { type: 'string' } },
})
const deadlineMs =
  values.minutes === undefined ? Infinity : performance.now() + Number(values.minutes) * 60_000 - usualMs
if (Number.isNaN(deadlineMs)) throw new Error('--minutes takes a number.')

interface Row {
  readonly name: string
  readonly target: string
  readonly passed: number
  readonly failed: number
  readonly seconds: number
  readonly outcome: 'passed' | 'FAILED' | 'did not run'
  readonly why?: string
}

const examples = findExamples(positionals)
const waiting = examples.entries()
const rows: Row[] = []
await Promise.all(Array.from({ length: lanes }, () => work()))
print()
const passed = rows.reduce((sum, row) => sum + row.passed, 0)
const failed = rows.reduce((sum, row) => sum + row.failed, 0)
const report = { numPassedTests: passed, numFailedTests: failed, examples: rows }
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

async function work(): Promise<void> {
  for (const [index, example] of waiting) {
    const row = await rowOf(example)
    rows[index] = row
    console.log(`${row.name}: ${row.outcome}`)
  }
}

async function rowOf(example: Example): Promise<Row> {
  const { name, target } = example
  const base = { name, target, passed: 0, failed: 0, seconds: 0 }
  if (performance.now() > deadlineMs)
    return { ...base, outcome: 'did not run', why: `the ${values.minutes} minutes are over` }
  const begunMs = performance.now()
  try {
    if (!example.hasTest) throw new Error('It has no connector.test.ts.')
    await installNeeds(example)
    const version = await installedVersion(example)
    const { said, skipped, ...counts } = await runExample(example)
    const why = skipped.length > 0 ? `not tried: ${skipped.join('; ')}` : undefined
    if (counts.failed > 0) console.log(said)
    return {
      ...base,
      ...counts,
      target: version === '' ? target : `${target} (${version})`,
      seconds: secondsSince(begunMs),
      outcome: counts.failed > 0 ? 'FAILED' : 'passed',
      ...(why !== undefined && { why }),
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { ...base, failed: 1, seconds: secondsSince(begunMs), outcome: 'FAILED', why }
  }
}

function secondsSince(ms: number): number {
  return Math.round((performance.now() - ms) / 1000)
}

function print(): void {
  const lines = [
    ['Example', 'Target', 'Promises', 'Seconds', ''],
    ...rows.map(({ name, target, passed, failed, seconds, outcome }) => [
      name,
      target,
      outcome === 'did not run' ? '' : `${passed} of ${passed + failed}`,
      outcome === 'did not run' ? '' : String(seconds),
      outcome,
    ]),
  ]
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
  for (const { name, why } of rows) if (why !== undefined) console.log(`${name}: ${why}`)
}
