/** So much of a body is taken from the connection before anybody reads it, in bytes: most are smaller, and free it at once. */
const aheadBytes = 65_536

/**
 * The same answer, with a body that ends with `signal` and says when it is over. An author who does not read it keeps no
 * connection busy, unless it is large.
 *
 * @param onEnd called once: all of the body has come, it broke off, or nobody wants it.
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
