import { type Command, CommanderError } from 'commander'
import { type ErrorCode, isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { ModuleError } from './load-connector.ts'
import { printable } from './output.ts'

/** How the command line ends; documented in its help. */
export const exitCode = { ok: 0, failed: 1, wrongUsage: 2 } as const

/** What `--help` says of exit codes. */
export const exitCodeHelp = exitCodesHelp('0 done, 1 failed, 2 wrong usage.')

/** The same where a code means something else. */
export function exitCodesHelp(codes: string): string {
  return `\nExit codes: ${codes}`
}

/** The command has not done what it should, and has said so itself. */
export class CommandFailed extends Error {
  readonly exitCode: number

  constructor(code: number = exitCode.failed) {
    super('The command failed.')
    this.exitCode = code
  }
}

/**
 * Runs the command that the arguments name.
 *
 * @returns the code to exit with. What went wrong has been said on standard error then.
 */
export async function runCommandLine(program: Command, words: readonly string[]): Promise<number> {
  throwInsteadOfExit(program)
  // `| head` closes the pipe when it has seen enough, which is no failure.
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

/** Commander would end the process itself, with 1 for wrong usage too. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) throwInsteadOfExit(child)
}

/** Whether the command was called wrongly, or its settings are wrong, rather than that something failed. */
function isOfUsage(error: unknown): boolean {
  return error instanceof ModuleError || (isStreamConnectorError(error) && isOfSettings(error.code))
}

/** Whether settings have to be changed for what has this code to go away. */
export function isOfSettings(code: ErrorCode | undefined): boolean {
  return code === 'SETTINGS_INVALID' || code === 'STREAM_NOT_CONFIGURED'
}

/** An error as it is told to a person: with its code, where it has one of ours. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const ofFile = fileErrorText(error)
  if (ofFile !== undefined) return ofFile
  return isStreamConnectorError(error) ? `${error.code}: ${error.message}` : error.message
}

const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
}

/** An error of Node about a file that the person named, without its jargon. */
function fileErrorText(error: NodeJS.ErrnoException): string | undefined {
  // Told only when it is read, and without its path.
  if (error.code === 'EISDIR' && error.path === undefined) return 'A file is wanted, and a folder was named.'
  const reason = fileReasons[error.code ?? '']
  return reason === undefined || error.path === undefined || error.syscall !== 'open'
    ? undefined
    : `${error.path} cannot be opened: ${reason}.`
}
