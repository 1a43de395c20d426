import { type KyInstance } from 'ky'
import { PlatformError } from '../errors/platform-error.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Clock } from '../util/clock.ts'
import { describeStatus } from '../opencti/describe-status.ts'
import { unreachable } from '../opencti/unreachable.ts'

/** Which file to read, and how much of it. */
export interface FileRequest {
  readonly http: KyInstance
  readonly clock: Clock
  readonly address: string
  readonly maxBytes: number
  /** Timeout of the whole download, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Downloads a platform file.
 *
 * @throws PlatformError if the platform is down, refuses, or cannot serve the file.
 * @throws StreamConnectorError `LOOKUP_TOO_LARGE` if it exceeds `maxBytes`.
 * @throws the reason of `signal` if that aborts.
 */
export async function readFile(request: FileRequest): Promise<Uint8Array> {
  const { http, clock, address, maxBytes, timeoutMs, signal } = request
  const late = new AbortController()
  const cancel = clock.schedule(timeoutMs, () => late.abort())
  try {
    const response = await http.get(address, { signal: AbortSignal.any([signal, late.signal]) })
    if (!response.ok) {
      await response.body?.cancel()
      throw refusal(response)
    }
    return await bytesOf(response, maxBytes)
  } catch (error) {
    signal.throwIfAborted()
    if (late.signal.aborted) {
      throw new PlatformError(
        'PLATFORM_UNREACHABLE',
        `The OpenCTI platform did not send a file within ${timeoutMs / 1000} s.`,
      )
    }
    throw isStreamConnectorError(error) ? error : unreachable(error)
  } finally {
    cancel()
  }
}

async function bytesOf(response: Response, maxBytes: number): Promise<Uint8Array> {
  const announced = Number(response.headers.get('content-length') ?? 0)
  const chunks: Uint8Array[] = []
  let bytes = 0
  if (announced <= maxBytes) {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) break
      chunks.push(chunk)
    }
  }
  if (announced > maxBytes || bytes > maxBytes) {
    await response.body?.cancel().catch(() => {})
    throw new StreamConnectorError(
      'LOOKUP_TOO_LARGE',
      `The file on the OpenCTI platform is larger than ${maxBytes} bytes. Raise maxBytes, or continue without the file.`,
    )
  }
  return new Uint8Array(Buffer.concat(chunks, bytes))
}

/**
 * The platform answers 500 and a stack trace for a file that is missing or off limits to the user, and also
 * if its storage is down (OpenCTI platform, http/httpPlatform.js). Retry, but not forever.
 */
function refusal(response: Response): PlatformError {
  const { status } = response
  const isAway = status === 429 || (status > 500 && status < 600)
  if (status === 401 || status === 403 || isAway) return describeStatus(response)
  return new PlatformError(
    'PLATFORM_ERROR',
    `The OpenCTI platform did not serve the file (HTTP ${status}). It may have been deleted, its storage may be down, or ` +
      "the token's user may not be allowed to read its entity.",
  )
}
