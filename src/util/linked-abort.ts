/** A controller that is aborted when any of the given signals is, until it is let go of. */
export interface LinkedAbort {
  readonly controller: AbortController
  /** The signals have no more to say here: nothing of this is held by them any longer. */
  readonly unlink: () => void
}

/**
 * As `AbortSignal.any`, for signals that live much longer than what they end: what follows one of them is let go of when
 * that is over, and not when memory happens to be cleaned up.
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
