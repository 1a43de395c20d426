import { delay } from '../util/delay.ts'
import { type Clock } from '../util/clock.ts'

/**
 * Reads the beginning of an answer that is not an event stream, to report what it was. Never throws:
 * unreadable parts are omitted. The rest of the body is canceled.
 */
export async function readBeginning(response: Response, options: ReadBeginningOptions): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const cancel = () => void reader.cancel().catch(() => {})
  const timer = new AbortController()
  const signal = AbortSignal.any([options.signal, timer.signal])
  const timeUp = delay(options.clock, options.timeoutMs, signal).then(cancel, cancel)
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  try {
    while (bytes < options.maxBytes && options.until?.(text) !== true) {
      const { done, value } = await reader.read()
      if (done) break
      bytes += value.byteLength
      text += decoder.decode(value.subarray(0, options.maxBytes), { stream: true })
    }
  } catch {
    // A body that breaks off explains as much as it had time to.
  }
  timer.abort()
  await timeUp
  return text.slice(0, options.maxBytes)
}

/** How much of an answer to read, and for how long. */
export interface ReadBeginningOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly maxBytes: number
  readonly timeoutMs: number
  /** Whether the text so far is enough. */
  readonly until?: ((text: string) => boolean) | undefined
}
