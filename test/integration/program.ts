import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** A connector that runs in a process of its own. */
export interface Program {
  readonly process: ChildProcess
  /** What it wrote to standard error so far. */
  readonly said: () => string
  /** Resolves with its exit code; null when a signal ended it. */
  readonly exit: Promise<number | null>
}

/** Runs a file of this folder with this environment alone; killed at the end of the test. */
export function runProgram(file: string, environment: Record<string, string>): Program {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL(file, import.meta.url))],
    { env: environment, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  onTestFinished(() => void child.kill('SIGKILL'))
  const exit = once(child, 'close').then(([code]) => code as number | null)
  return { process: child, said: () => said, exit }
}
