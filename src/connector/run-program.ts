import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'

/** What `run()` needs of a connector. */
interface Program {
  start(): Promise<void>
  stop(): Promise<void>
  abandon(): void
  readonly finished: Promise<void>
}

const exitCodes = { stopped: 0, failed: 1, settings: 2 } as const

/** Runs a connector until it stops, and ends the process. The only place of this package that does so. */
export async function runProgram(make: () => Program): Promise<never> {
  let program: Program
  try {
    program = make()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : describeError(error)}\n`)
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
  try {
    await program.start()
    await program.finished
    return process.exit(exitCodes.stopped)
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`)
    return process.exit(exitCodes.failed)
  }
}
