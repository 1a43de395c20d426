import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** What a run of the command line left behind. */
export interface CliResult {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

/**
 * Runs the command line as a process of its own.
 *
 * @param env the connector's variables; those of this process are not passed on.
 */
export async function runCli(words: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [main, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
    timeout: 20_000,
  })
  const output = { out: '', error: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output.out += String(chunk)))
  child.stderr.setEncoding('utf8').on('data', (chunk) => (output.error += String(chunk)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

/** The lines of a text, without the last break. */
export function linesOf(text: string): string[] {
  return text.trimEnd().split('\n')
}

/** A folder that goes with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'opencti-stream-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}
