import { type KyInstance } from 'ky'
import { PlatformError } from '../errors/platform-error.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { describeStatus } from './describe-status.ts'
import { type Platform, type StreamCollection } from './platform.ts'
import { tokenRefused } from './token-refused.ts'
import { unreachable } from './unreachable.ts'

/** A live stream that may be read. */
export interface CheckedStream {
  readonly id: string
  readonly name: string
}

/** Parameters of {@link checkStream}. */
export interface StreamCheck {
  readonly platform: Platform
  readonly http: KyInstance
  /** The platform's base address, without a trailing slash. */
  readonly url: string
  /** As in the settings. */
  readonly streamId: string | undefined
  readonly signal: AbortSignal
  /** @default the system clock */
  readonly clock?: Clock | undefined
}

const settingNames = 'CONNECTOR_LIVE_STREAM_ID (connector.live_stream_id in config.yml)'

/** How long the stream may take to answer with its status, in milliseconds. */
const statusTimeoutMs = 30_000

/**
 * Checks that a stream id is set: the validation of the stream id in the specification.
 *
 * @throws PlatformError `STREAM_NOT_CONFIGURED`.
 */
export function requireStreamId(streamId: string | undefined): string {
  const text = streamId?.trim() ?? ''
  if (text === '') throw notConfigured('No live stream is configured.')
  if (text.toLowerCase() === 'changeme')
    throw notConfigured('The id of the live stream is still a placeholder.')
  if (text.toLowerCase() === 'raw') {
    throw notConfigured(
      '"raw" is the name of the raw stream, which has no filters and is not for connectors.',
    )
  }
  return text
}

/**
 * Asks the platform whether the live stream exists, is running, and may be read by the token's owner.
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
  let collection: StreamCollection | undefined
  let isForbidden = false
  try {
    collection = await check.platform.streamCollection(streamId, check.signal)
  } catch (error) {
    // A user who may not ask may still read a public stream: only the stream itself knows.
    if (!isStreamConnectorError(error) || (error as PlatformError).problem !== 'forbidden') throw error
    isForbidden = true
  }
  if (collection?.isRunning === false) throw stopped(streamId)
  await probe(check, streamId, collection === undefined && !isForbidden)
  return { id: streamId, name: collection?.name ?? streamId }
}

/**
 * Opens the stream only to see its answer; the reason is in the words of its status line (OpenCTI platform,
 * graphql/sseMiddleware.js).
 */
async function probe(check: StreamCheck, streamId: string, isPerhapsUnknown = false): Promise<void> {
  const { signal } = check
  const finished = new AbortController()
  const late = new AbortController()
  const cancel = (check.clock ?? systemClock).schedule(statusTimeoutMs, () => late.abort())
  let response: Response
  try {
    response = await check.http.get(`${check.url}/stream/${encodeURIComponent(streamId)}`, {
      signal: AbortSignal.any([signal, late.signal, finished.signal]),
      headers: { accept: 'text/event-stream' },
      throwHttpErrors: false,
      timeout: false,
    })
  } catch (error) {
    signal.throwIfAborted()
    if (!late.signal.aborted) throw isStreamConnectorError(error) ? error : unreachable(error)
    throw new PlatformError(
      'PLATFORM_UNREACHABLE',
      `The live stream did not answer within ${statusTimeoutMs / 1000} s. Check for a proxy that holds back the answer: it must not buffer /stream.`,
    )
  } finally {
    // Only the status matters: hang up.
    finished.abort()
    cancel()
  }
  refuse(response, streamId, isPerhapsUnknown)
}

/** Throws for every answer that is not a stream. */
function refuse(response: Response, streamId: string, isPerhapsUnknown: boolean): void {
  const { status, statusText: words } = response
  if (status === 200) {
    // Without a content type it is the platform's own error frame, which the stream's reader understands.
    const contentType = response.headers.get('content-type') ?? 'text/event-stream'
    if (/^text\/event-stream/i.test(contentType)) return
    throw new PlatformError(
      'PLATFORM_UNREACHABLE',
      'The address of the live stream does not answer with a stream; it may be the login page of a proxy. Check OPENCTI_URL, and allow the connector past that page.',
      { status },
    )
  }
  if (status === 410) throw stopped(streamId)
  if (status !== 401 && status !== 403) throw describeStatus(response)
  if (/not authenticated/i.test(words)) {
    throw tokenRefused(status)
  }
  if (isPerhapsUnknown && !/markings|two-factor/i.test(words)) {
    throw new PlatformError(
      'STREAM_UNKNOWN',
      `The platform has no live stream ${streamId}, or none that this token may see. Copy the id from Data > Data sharing > Live streams into ${settingNames}, and give the user of OPENCTI_TOKEN access to it.`,
      { status },
    )
  }
  throw new PlatformError(
    'STREAM_FORBIDDEN',
    `The token may not read the live stream ${streamId}${words === '' ? '' : ` ("${words}")`}. ${remedyFor(streamId)}`,
    { status },
  )
}

function remedyFor(streamId: string): string {
  return streamId === 'live'
    ? 'The stream "live" is for users with the capability to bypass all rules; use your own live stream instead.'
    : 'Give the user of OPENCTI_TOKEN the capability "Access data sharing" (TAXIIAPI), make it a member of the stream, and give it the markings that the stream is filtered by.'
}

function notConfigured(what: string): PlatformError {
  return new PlatformError(
    'STREAM_NOT_CONFIGURED',
    `Missing stream ID. ${what} Create a live stream on the platform (Data > Data sharing > Live streams) and set ${settingNames} to its id.`,
  )
}

function stopped(streamId: string): PlatformError {
  return new PlatformError(
    'STREAM_STOPPED',
    `The live stream ${streamId} is stopped. Start it on the platform (Data > Data sharing > Live streams); the connector then continues on its own.`,
    { status: 410 },
  )
}
