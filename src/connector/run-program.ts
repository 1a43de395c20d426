import { isStreamConnectorError, type ErrorCode } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'

/** What `run()` needs of a connector. */
interface Program {
  start(): Promise<void>
  stop(): Promise<void>
  abandon(): void
  readonly finished: Promise<void>
}

/** Told of an error that reached nobody, and whether the program goes on. */
type NoteUnhandled = (program: Program, error: unknown, isGoingOn: boolean) => void

const exitCodes = { stopped: 0, failed: 1, settings: 2, refused: 3 } as const

/** What a person has to mend before another start can go better. A port in use is not among it: it may be free by then. */
const exitCodeOf: Readonly<Partial<Record<ErrorCode, number>>> = {
  STREAM_NOT_CONFIGURED: exitCodes.settings,
  PLATFORM_REFUSED: exitCodes.refused,
  STREAM_UNKNOWN: exitCodes.refused,
  STREAM_FORBIDDEN: exitCodes.refused,
}

/**
 * Runs a connector until it stops, and ends the process. The only place of this package that does so.
 *
 * @param hint what may be the reason when the connector cannot be made because of a mistake in its code.
 */
export async function runProgram(
  make: () => Program,
  noteUnhandled: NoteUnhandled,
  hint?: string,
): Promise<never> {
  let program: Program
  try {
    program = make()
  } catch (error) {
    process.stderr.write(`${whyNotMade(error, hint)}\n`)
    const isSettings = isStreamConnectorError(error) && error.code === 'SETTINGS_INVALID'
    return process.exit(isSettings ? exitCodes.settings : exitCodes.failed)
  }
  let signals = 0
  const onSignal = () => {
    signals++
    if (signals === 1) void program.stop()
    else {
      program.abandon()
      // Whatever hangs now has had its chance: what is not finished comes again.
      process.exit(exitCodes.failed)
    }
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  let exitCode: number = exitCodes.stopped
  // Node would end the process, at each start anew while the event that it came from is not saved as done.
  process.on('unhandledRejection', (error) => noteUnhandled(program, error, true))
  // What was thrown out of a callback may have left something half done: the process ends, but not before it has saved.
  process.on('uncaughtException', (error) => {
    exitCode = exitCodes.failed
    noteUnhandled(program, error, false)
    void program.stop()
  })
  try {
    // A start that hangs must not outlive a stop.
    await Promise.race([program.start(), program.finished])
    await program.finished
    return process.exit(exitCode)
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`)
    return process.exit(exitCodeFor(error))
  }
}

/** What our own errors say is all there is to know; what else is thrown here comes from a line of the author's class. */
function whyNotMade(error: unknown, hint = ''): string {
  if (!(error instanceof Error)) return describeError(error)
  if (isStreamConnectorError(error)) return error.message
  return `${error.stack ?? error.message}${error instanceof TypeError && hint !== '' ? `\n${hint}` : ''}`
}

function exitCodeFor(error: unknown): number {
  return (isStreamConnectorError(error) ? exitCodeOf[error.code] : undefined) ?? exitCodes.failed
}
