/** The end that a person asked for. */
export interface Interrupt extends Disposable {
  /** Aborted by the first SIGINT (Ctrl-C), SIGTERM or SIGHUP; the second one ends the process at once. */
  readonly signal: AbortSignal
  /** Resolves with the first of them. */
  readonly happened: Promise<void>
}

/** Listens for the signals that end a command, until it is disposed of. */
export function onInterrupt(): Interrupt {
  const controller = new AbortController()
  const { promise: happened, resolve } = Promise.withResolvers<void>()
  const listener = () => {
    if (controller.signal.aborted) process.exit(130)
    // The terminal has written ^C where the cursor was.
    if (process.stderr.isTTY) process.stderr.write('\n')
    controller.abort()
    resolve()
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, listener)
  return {
    signal: controller.signal,
    happened,
    [Symbol.dispose]() {
      for (const name of names) process.off(name, listener)
    },
  }
}
