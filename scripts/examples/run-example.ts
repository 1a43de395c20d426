import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Example } from './example.ts'
import { environmentWithNeeds } from './install-needs.ts'

/** How long the test of one example may take, in milliseconds. */
const maxMs = 600_000

/** What became of the test of an example. */
export interface ExampleResult {
  readonly passed: number
  readonly failed: number
  /** Names of the tests that were not tried. */
  readonly skipped: readonly string[]
  /** What the test said, for people. */
  readonly said: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Runs the test of an example in a process. */
export async function runExample({ name }: Example): Promise<ExampleResult> {
  const place = await mkdtemp(join(tmpdir(), 'example-'))
  const report = join(place, 'report.json')
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config=examples/vitest.config.ts',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    {
      cwd: root,
      env: { ...environmentWithNeeds(), EXAMPLE: name },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: maxMs,
      killSignal: 'SIGKILL',
    },
  )
  let said = ''
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-20_000)))
  const [code] = (await once(child, 'close')) as [number | null]
  const counts = await readCounts(report)
  await rm(place, { recursive: true })
  // A run that broke off, or ran nothing, must not look like a success.
  const isWell = code === 0 && counts.passed > 0
  return { ...counts, failed: isWell ? 0 : Math.max(1, counts.failed), said }
}

async function readCounts(report: string): Promise<Omit<ExampleResult, 'said'>> {
  try {
    const found = JSON.parse(await readFile(report, 'utf8')) as Report
    const tests = found.testResults.flatMap(({ assertionResults }) => assertionResults)
    const decided = new Set(['passed', 'failed'])
    return {
      passed: found.numPassedTests,
      failed: found.numFailedTests,
      skipped: tests.filter(({ status }) => !decided.has(status)).map(({ title }) => title),
    }
  } catch {
    return { passed: 0, failed: 0, skipped: [] }
  }
}

/** What is read of the report of Vitest. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[]
  }[]
}
