import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type TestContext } from 'vitest'
import { type Program } from '../../fixtures/program.ts'

const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user']

/** Runs a program as the first process of a namespace, as in a container: the kernel drops signals without a listener. */
export const asFirstProcess = ['unshare', ...asRoot, '--fork', '--pid', '--mount-proc', '--kill-child']

/** Skips a test, and says why, if this machine or user cannot create such namespaces. */
export function needFirstProcess({ skip }: TestContext): void {
  const [command, ...parameters] = asFirstProcess
  const { status, error, stderr } = spawnSync(command!, [...parameters, 'true'], { encoding: 'utf8' })
  if (status === 0) return
  // The command comes with every Debian.
  if (process.env['CI'] === 'true' && error !== undefined) throw error
  skip(`no process can be the first one on this machine: ${error?.message ?? stderr}`)
}

/** Sends a signal to a program that runs as the first process. */
export function signalFirstProcess({ process: unshare }: Program, signal: NodeJS.Signals): void {
  const { pid } = unshare
  process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), signal)
}
