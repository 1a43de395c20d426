/** Bytes of a body to read ahead: most bodies are smaller, and free the connection at once. */
const aheadBytes = 65_536

/**
 * Wraps a response so that its body ends with `signal` and reports when it is over. An unread body does not
 * block a connection unless it is large.
 *
 * @param onEnd called once: the body is complete, failed, or unwanted.
 */
export function watchedResponse(
  response: Response,
  signal: AbortSignal,
  onEnd: () => void,
): Response | Promise<Response> {
  const { body, status, headers } = response
  if (body === null || status < 200) {
    onEnd()
    return response
  }
  if (isShort(headers)) return wholeResponse(response, signal, onEnd)
  return copyOf(response, watchedBody(body, signal, onEnd))
}

/** Whether the whole body is announced to fit; compressed, it could grow. */
function isShort(headers: Headers): boolean {
  const announced = headers.get('content-length')
  return announced !== null && Number(announced) <= aheadBytes && !headers.has('content-encoding')
}

/**
 * Reads the body before the response is handed on: another stream around it takes 50 µs. A body that does not come is the
 * business of those who read it, as with any other.
 */
async function wholeResponse(response: Response, signal: AbortSignal, onEnd: () => void): Promise<Response> {
  try {
    return copyOf(response, await response.arrayBuffer())
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error
    return copyOf(response, new ReadableStream({ start: (controller) => controller.error(reason) }))
  } finally {
    onEnd()
  }
}

function copyOf(
  { status, statusText, headers, url }: Response,
  body: ArrayBuffer | ReadableStream<Uint8Array>,
): Response {
  return Object.defineProperty(new Response(body, { status, statusText, headers }), 'url', { value: url })
}

function watchedBody(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
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
  return new ReadableStream<Uint8Array>(
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
}
