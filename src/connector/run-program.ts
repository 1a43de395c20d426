import { isStreamConnectorError, type ErrorCode } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'

/** The part of a connector that `run()` uses. */
interface Program {
  start(): Promise<void>
  stop(): Promise<void>
  abandon(): void
  readonly finished: Promise<void>
}

/** Reports an unhandled error, and whether the program continues. */
type NoteUnhandled = (program: Program, error: unknown, isGoingOn: boolean) => void

const exitCodes = { stopped: 0, failed: 1, settings: 2, refused: 3 } as const

/** Failures a person must fix before a restart can help. A port in use is not one: it may be free by then. */
const exitCodeOf: Readonly<Partial<Record<ErrorCode, number>>> = {
  STREAM_NOT_CONFIGURED: exitCodes.settings,
  PLATFORM_REFUSED: exitCodes.refused,
  STREAM_UNKNOWN: exitCodes.refused,
  STREAM_FORBIDDEN: exitCodes.refused,
}

/**
 * Runs a connector until it stops, then ends the process. Nothing else in this package does.
 *
 * @param hint likely reason if a coding mistake keeps the connector from being constructed.
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
      // Whatever still hangs had its chance; unfinished events are delivered again.
      process.exit(exitCodes.failed)
    }
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  let exitCode: number = exitCodes.stopped
  // Node would exit here, and again at every restart, until the event behind it is saved as done.
  process.on('unhandledRejection', (error) => noteUnhandled(program, error, true))
  // An exception from a callback may leave work half done, so the process must end, but only after saving.
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

/** Our own errors say all there is to say. Anything else comes from a line in the author's class. */
function whyNotMade(error: unknown, hint = ''): string {
  if (!(error instanceof Error)) return describeError(error)
  if (isStreamConnectorError(error)) return error.message
  return `${error.stack ?? error.message}${error instanceof TypeError && hint !== '' ? `\n${hint}` : ''}`
}

function exitCodeFor(error: unknown): number {
  return (isStreamConnectorError(error) ? exitCodeOf[error.code] : undefined) ?? exitCodes.failed
}
