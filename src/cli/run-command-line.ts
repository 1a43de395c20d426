import { type Command, CommanderError } from 'commander'
import { type ErrorCode, isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { ModuleError } from '../connector/load-connector.ts'
import { printable } from './output.ts'

/** Exit codes, as documented in the help. */
export const exitCode = { ok: 0, failed: 1, wrongUsage: 2 } as const

/** Exit codes in `--help`. */
export const exitCodeHelp = exitCodesHelp('0 done, 1 failed, 2 wrong usage.')

/** Exit codes for commands where they differ. */
export function exitCodesHelp(codes: string): string {
  return `\nExit codes: ${codes}`
}

/** The command failed and has already said why. */
export class CommandFailed extends Error {
  readonly exitCode: number

  constructor(code: number = exitCode.failed) {
    super('The command failed.')
    this.exitCode = code
  }
}

/**
 * Runs a command.
 *
 * @returns the exit code. Errors have already been printed to standard error.
 */
export async function runCommandLine(program: Command, words: readonly string[]): Promise<number> {
  throwInsteadOfExit(program)
  // `| head` closes the pipe once it has enough, which is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCode.ok)
    throw error
  })
  try {
    await program.parseAsync(words, { from: 'user' })
    return exitCode.ok
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.wrongUsage
    if (error instanceof CommandFailed) return error.exitCode
    process.stderr.write(`${printable(errorText(error), true)}\n`)
    return isOfUsage(error) ? exitCode.wrongUsage : exitCode.failed
  }
}

/** Commander would end the process itself, with 1 even for wrong usage. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) throwInsteadOfExit(child)
}

/** Whether the usage or the settings are wrong, as opposed to a failure. */
function isOfUsage(error: unknown): boolean {
  return error instanceof ModuleError || (isStreamConnectorError(error) && isOfSettings(error.code))
}

/** Whether an error with this code requires a change of settings. */
export function isOfSettings(code: ErrorCode | undefined): boolean {
  return code === 'SETTINGS_INVALID' || code === 'STREAM_NOT_CONFIGURED'
}

/** An error for people, with its code if it is one of ours. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const ofFile = fileErrorText(error)
  if (ofFile !== undefined) return ofFile
  return isStreamConnectorError(error) ? `${error.code}: ${error.message}` : error.message
}

const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  ENOTDIR: 'part of its path is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
}

/** A Node error about a file the user named, without jargon. */
function fileErrorText(error: NodeJS.ErrnoException): string | undefined {
  // Reported only on reading, and without a path.
  if (error.code === 'EISDIR' && error.path === undefined) return 'Expected a file, got a folder.'
  const reason = fileReasons[error.code ?? '']
  return reason === undefined || error.path === undefined || error.syscall !== 'open'
    ? undefined
    : `${error.path} cannot be opened: ${reason}.`
}
