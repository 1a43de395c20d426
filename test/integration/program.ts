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

/** How a {@link Program} is run. */
export interface ProgramOptions {
  /** The size that no file of its may exceed, as on a full disk. */
  readonly maxFileKiB?: number | undefined
  /** Its working directory. Default: that of the tests. */
  readonly directory?: string | undefined
  /** A command that runs it, such as `unshare`. */
  readonly within?: readonly string[] | undefined
}

/**
 * Runs a program with this environment alone; killed at the end of the test.
 *
 * @param file in this folder, or elsewhere by its address.
 */
export function runProgram(
  file: string | URL,
  environment: Record<string, string>,
  { maxFileKiB, directory, within = [] }: ProgramOptions = {},
): Program {
  const node = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    fileURLToPath(new URL(file, import.meta.url)),
  ]
  // The signal would end the process; ignored, the write fails, as it does on a full disk.
  const limit = ['bash', '-c', `trap '' XFSZ; ulimit -f ${maxFileKiB}; exec "$0" "$@"`]
  const [command, ...parameters] = [...within, ...(maxFileKiB === undefined ? [] : limit), ...node]
  const child = spawn(command!, parameters, {
    cwd: directory,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  onTestFinished(() => void child.kill('SIGKILL'))
  const exit = once(child, 'close').then(([code]) => code as number | null)
  return { process: child, said: () => said, exit }
}
