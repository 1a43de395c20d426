import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from '../integration/until.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** What the command line gets of our environment, and a cache that halves the time of its start. */
const ownEnvironment = {
  PATH: process.env['PATH'],
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/cli-tests', import.meta.url)),
}

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
export async function runCli(
  words: readonly string[],
  env: Record<string, string> = {},
  { cwd, nodeFlags = [] }: { cwd?: string; nodeFlags?: readonly string[] } = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [...nodeFlags, main, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...ownEnvironment, ...env },
    timeout: 20_000,
    cwd,
  })
  const output = { out: '', error: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output.out += String(chunk)))
  child.stderr.setEncoding('utf8').on('data', (chunk) => (output.error += String(chunk)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

/** A run of the command line that goes on until it is told to end. */
export interface RunningCli {
  readonly output: { out: string; error: string }
  /** Resolves when the output matches. */
  readonly shows: (what: RegExp) => Promise<void>
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>
}

/** Starts the command line and leaves it running. */
export function startCli(words: readonly string[], env: Record<string, string>, cwd?: string): RunningCli {
  const child = spawn(process.execPath, [main, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...ownEnvironment, ...env },
    cwd,
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { out: '', error: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output.out += String(chunk)))
  child.stderr.setEncoding('utf8').on('data', (chunk) => (output.error += String(chunk)))
  return {
    output,
    shows: async (what) => {
      await until(String(what), () => what.test(output.out) || what.test(output.error))
    },
    end: async (signal) => {
      const closed = once(child, 'close') as Promise<[number | null]>
      child.kill(signal)
      return (await closed)[0]
    },
  }
}

/** The lines of a text, without the last break. */
export function linesOf(text: string): string[] {
  return text.trimEnd().split('\n')
}
