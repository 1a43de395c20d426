/** Bytes of a body to read ahead: most bodies are smaller, and free the connection at once. */
const aheadBytes = 65_536

/**
 * Wraps a response so that its body ends with `signal` and reports when it is over. An unread body does not
 * block a connection unless it is large.
 *
 * @param onEnd called once: the body is complete, failed, or unwanted.
 */
export function watchedResponse(response: Response, signal: AbortSignal, onEnd: () => void): Response {
  const { body, status, statusText, headers, url } = response
  if (body === null || status < 200) {
    onEnd()
    return response
  }
  const reader = body.getReader()
  const end = () => {
    signal.removeEventListener('abort', onAbort)
    onEnd()
  }
  let breakOff = (_reason: unknown) => {}
  const onAbort = () => {
    breakOff(signal.reason)
    reader.cancel(signal.reason).catch(() => {})
    end()
  }
  const watched = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        breakOff = (reason) => controller.error(reason)
        signal.addEventListener('abort', onAbort, { once: true })
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (signal.aborted) return
          if (!done) {
            controller.enqueue(value)
            return
          }
          controller.close()
          end()
        } catch (error) {
          if (signal.aborted) return
          controller.error(error)
          end()
        }
      },
      async cancel(reason) {
        end()
        await reader.cancel(reason)
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: aheadBytes }),
  )
  const answer = new Response(watched, { status, statusText, headers: [...headers] })
  return Object.defineProperty(answer, 'url', { value: url })
}
