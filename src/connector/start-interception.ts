/** Where a tool that inspects connectors leaves its callback for every copy of this package. */
const key = Symbol.for('opencti-stream-connector.held-start')

type Holder = (connector: unknown) => void

/**
 * Until the returned function is called, starting a connector in this process passes its class to `onStart`
 * instead. Lets a tool import a file that ends in `await SiemConnector.run()` without running it. Stored on
 * `globalThis`, because the tool and the file may load different copies of this package.
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
 * Promise for an intercepted start. It never resolves, so nothing after it in the file runs either. Undefined
 * if starts are not intercepted.
 */
export function interceptedStart(connector: unknown): Promise<never> | undefined {
  const onStart = (globalThis as Record<symbol, unknown>)[key]
  if (typeof onStart !== 'function') return undefined
  ;(onStart as Holder)(connector)
  return new Promise(() => {})
}
