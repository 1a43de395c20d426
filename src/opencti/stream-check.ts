import { type KyInstance } from 'ky'
import { PlatformError } from '../errors/platform-error.ts'
import { describeError } from '../errors/verdict.ts'
import { type Platform } from './platform.ts'

/** A live stream that may be read. */
export interface CheckedStream {
  readonly id: string
  readonly name: string
}

/** What {@link checkStream} looks at. */
export interface StreamCheck {
  readonly platform: Platform
  readonly http: KyInstance
  /** The platform's base address, without a slash at the end. */
  readonly url: string
  /** As it stands in the settings. */
  readonly streamId: string | undefined
  readonly signal: AbortSignal
}

const settingNames = 'CONNECTOR_LIVE_STREAM_ID (connector.live_stream_id in config.yml)'

/** How long the stream is given to answer with its status, in milliseconds. */
const statusTimeoutMs = 30_000

/**
 * Whether a stream id is there at all: what the specification calls the validation of the stream id.
 *
 * @throws PlatformError `STREAM_NOT_CONFIGURED`.
 */
export function requireStreamId(streamId: string | undefined): string {
  const text = streamId?.trim() ?? ''
  if (text === '') throw notConfigured('No live stream is configured.')
  if (text.toLowerCase() === 'changeme')
    throw notConfigured('The id of the live stream is still the placeholder.')
  if (text.toLowerCase() === 'raw') {
    throw notConfigured(
      '"raw" is the name of the raw stream, which has no filters and is not for connectors.',
    )
  }
  return text
}

/**
 * Asks the platform whether the live stream exists, runs, and may be read by the owner of the token.
 *
 * @throws PlatformError `STREAM_NOT_CONFIGURED`, `STREAM_UNKNOWN`, `STREAM_STOPPED`, `STREAM_FORBIDDEN`,
 * `PLATFORM_REFUSED` for a wrong token, or `PLATFORM_UNREACHABLE`; each says what to do.
 */
export async function checkStream(check: StreamCheck): Promise<CheckedStream> {
  const streamId = requireStreamId(check.streamId)
  if (streamId === 'live') {
    await probe(check, streamId)
    return { id: streamId, name: 'live' }
  }
  let collection: Awaited<ReturnType<Platform['streamCollection']>>
  try {
    collection = await check.platform.streamCollection(streamId, check.signal)
  } catch (error) {
    // Who may not ask, or asks for what does not exist, gets an error: the stream itself knows better.
    if (!(error instanceof PlatformError) || error.code === 'PLATFORM_UNREACHABLE' || error.status === 401)
      throw error
  }
  if (collection?.isRunning === false) throw stopped(streamId)
  await probe(check, streamId, collection === undefined)
  return { id: streamId, name: collection?.name ?? streamId }
}

/** Opens the stream only to see how it answers (OpenCTI platform, graphql/sseMiddleware.js). */
async function probe(check: StreamCheck, streamId: string, isPerhapsUnknown = false): Promise<void> {
  const controller = new AbortController()
  let status: number
  let words: string
  try {
    const response = await check.http.get(`${check.url}/stream/${encodeURIComponent(streamId)}`, {
      signal: AbortSignal.any([check.signal, controller.signal]),
      timeout: statusTimeoutMs,
      throwHttpErrors: false,
      headers: { accept: 'text/event-stream' },
    })
    status = response.status
    words = response.statusText
  } catch (error) {
    check.signal.throwIfAborted()
    throw new PlatformError(
      'PLATFORM_UNREACHABLE',
      `The live stream cannot be reached: ${describeError(error)}. Check OPENCTI_URL (opencti.url) and proxies on the way.`,
      { cause: error },
    )
  } finally {
    controller.abort()
  }
  if (status === 200) return
  if (status === 410) throw stopped(streamId)
  if (status === 401 && isPerhapsUnknown && /not authorized/i.test(words)) {
    throw new PlatformError(
      'STREAM_UNKNOWN',
      `The platform has no live stream ${streamId}, or none that this token may see. Copy the id from Data > Data sharing > Live streams into ${settingNames}, and give the user of OPENCTI_TOKEN access to it.`,
      { status },
    )
  }
  if (status === 401 && /not authenticated/i.test(words)) {
    throw new PlatformError(
      'PLATFORM_REFUSED',
      'The platform does not accept the token. Set OPENCTI_TOKEN (opencti.token) to the API token of an active user.',
      { status },
    )
  }
  if (status === 401 || status === 403) {
    const need =
      streamId === 'live'
        ? 'The stream "live" needs the right to bypass all rules; use a stream of your own instead'
        : 'Make the user a member of the stream, with the capability to access data sharing and the markings that the stream is filtered by'
    throw new PlatformError(
      'STREAM_FORBIDDEN',
      `The token may not read the live stream ${streamId} (${words || status}). ${need}.`,
      { status },
    )
  }
  throw new PlatformError(
    'PLATFORM_UNREACHABLE',
    `The live stream answers HTTP ${status}${words === '' ? '' : ` (${words})`}. Check the platform and proxies on the way.`,
    { status },
  )
}

function notConfigured(what: string): PlatformError {
  return new PlatformError(
    'STREAM_NOT_CONFIGURED',
    `Missing stream ID. ${what} Create a live stream at the platform (Data > Data sharing > Live streams) and set ${settingNames} to its id.`,
  )
}

function stopped(streamId: string): PlatformError {
  return new PlatformError(
    'STREAM_STOPPED',
    `The live stream ${streamId} is stopped. Start it at the platform (Data > Data sharing > Live streams); the connector goes on by itself then.`,
    { status: 410 },
  )
}
