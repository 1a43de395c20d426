/** An interruption by the user. */
export interface Interrupt extends Disposable {
  /** Aborts on the first SIGINT (Ctrl-C), SIGTERM, or SIGHUP, which is its reason; a second one ends the process. */
  readonly signal: AbortSignal
  /** Resolves on the first signal. */
  readonly happened: Promise<void>
}

/** Listens for termination signals until disposed. */
export function onInterrupt(): Interrupt {
  const controller = new AbortController()
  const { promise: happened, resolve } = Promise.withResolvers<void>()
  const listener = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(130)
    // The terminal has printed ^C at the cursor.
    if (process.stderr.isTTY) process.stderr.write('\n')
    controller.abort(name)
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
