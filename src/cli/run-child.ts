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
  // A terminal sends Ctrl-C to everybody in the group, and "node --watch" passes it on as well: a connector that gets it twice gives up.
  const detached = process.stdin.isTTY === true
  const child = spawn(program, words, { env, stdio: 'inherit', detached })
  const stop = () => void child.kill('SIGTERM')
  signal.addEventListener('abort', stop)
  // A second Ctrl-C ends this process at once.
  process.once('exit', stop)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    return code ?? 1
  } catch (error) {
    throw new Error(`${program} cannot be started: ${(error as Error).message}`, { cause: error })
  } finally {
    signal.removeEventListener('abort', stop)
    process.off('exit', stop)
  }
}
