/** Where a program that wants to look at a connector leaves word for every copy of this package. */
const key = Symbol.for('opencti-stream-connector.held-start')

type Holder = (connector: unknown) => void

/**
 * Until the answered function is called, connectors that are told to start in this process are handed to `onStart`
 * instead: how a tool imports a file that ends in `await SiemConnector.run()` without running it. Kept on `globalThis`, since
 * the tool and the file can have two copies of this package.
 *
 * @param onStart receives the class.
 */
export function interceptStarts(onStart: Holder): () => void {
  const place = globalThis as Record<symbol, unknown>
  place[key] = onStart
  return () => {
    delete place[key]
  }
}

/**
 * What a start that is held waits for: for ever, so that nothing behind it in the file runs either. Undefined when nobody
 * holds it.
 */
export function interceptedStart(connector: unknown): Promise<never> | undefined {
  const onStart = (globalThis as Record<symbol, unknown>)[key]
  if (typeof onStart !== 'function') return undefined
  ;(onStart as Holder)(connector)
  return new Promise(() => {})
}
