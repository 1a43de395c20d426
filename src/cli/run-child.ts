import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Runs a program in the terminal of this one until it ends, or until it has ended because of the signal.
 *
 * @returns the exit code; 1 if a signal ended it.
 * @throws Error if it cannot be started.
 */
export async function runChild(
  [program, ...words]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  const child = spawn(program, words, { env, stdio: 'inherit' })
  const stop = () => {
    // A terminal has sent Ctrl-C to both, and a second signal would end it at once.
    if (signal.reason !== 'SIGINT' || process.stdin.isTTY !== true) child.kill('SIGTERM')
  }
  signal.addEventListener('abort', stop)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    return code ?? 1
  } catch (error) {
    throw new Error(`${program} cannot be started: ${(error as Error).message}`, { cause: error })
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
