/** A controller that aborts when any of the given signals does, until unlinked. */
export interface LinkedAbort {
  readonly controller: AbortController
  /** Detaches from the signals, so that they hold no reference to this anymore. */
  readonly unlink: () => void
}

/**
 * Like `AbortSignal.any`, for signals that outlive what they abort: unlinking releases it immediately rather
 * than at some garbage collection.
 */
export function linkedAbort(signals: Iterable<AbortSignal | undefined>): LinkedAbort {
  const controller = new AbortController()
  const followed: { signal: AbortSignal; onAbort: () => void }[] = []
  for (const signal of signals) {
    if (signal === undefined) continue
    if (signal.aborted) {
      controller.abort(signal.reason)
      break
    }
    const onAbort = () => controller.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    followed.push({ signal, onAbort })
  }
  const unlink = () => {
    for (const { signal, onAbort } of followed) signal.removeEventListener('abort', onAbort)
  }
  return { controller, unlink }
}
