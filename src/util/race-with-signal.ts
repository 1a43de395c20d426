/**
 * Makes a call and answers what it answers, unless `over` is aborted before.
 *
 * @throws the signal's reason as soon as it is aborted; when it already is, the call is not made.
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
