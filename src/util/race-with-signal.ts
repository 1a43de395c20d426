/**
 * Makes a call and returns its result, unless `over` aborts first.
 *
 * @throws the signal's reason as soon as it aborts. If it already has, the call is not made.
 */
export function raceWithSignal<T>(over: AbortSignal, call: () => Promise<T>): Promise<T> {
  if (over.aborted) return Promise.reject(over.reason as Error)
  return new Promise((resolve, reject) => {
    const onOver = () => reject(over.reason as Error)
    over.addEventListener('abort', onOver, { once: true })
    void call()
      .then(resolve, reject)
      .finally(() => over.removeEventListener('abort', onOver))
  })
}
