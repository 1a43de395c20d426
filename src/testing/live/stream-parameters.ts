import { type IncomingHttpHeaders } from 'node:http'
import { parsePosition, type ParsedPosition } from './stream-id.ts'

/** What a client requested when it opened a stream. */
export interface StreamParameters {
  readonly from: ParsedPosition | undefined
  readonly recover: ParsedPosition | undefined
  readonly withDependencies: boolean
  readonly listenDelete: boolean
  readonly withInferences: boolean
  /** Pause per element that platforms up to 6.x honor, in milliseconds. */
  readonly delayMs: number
}

/**
 * Reads the parameters with the platform's precedence (graphql/sseMiddleware.js): the first nonempty text
 * wins, query before headers. The raw stream only supports `from`.
 */
export function readStreamParameters(
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
  isRaw: boolean,
): StreamParameters {
  const from = parsePosition(
    firstOf([unwrapped(query, 'from'), header(headers, 'from'), header(headers, 'last-event-id')]),
  )
  if (isRaw) {
    return {
      from,
      recover: undefined,
      withDependencies: false,
      listenDelete: true,
      withInferences: true,
      delayMs: 0,
    }
  }
  const option = (...names: string[]) =>
    firstOf(names.flatMap((name) => [single(query, name), header(headers, name)]))
  const delay = Number.parseInt(
    firstOf([unwrapped(query, 'delay'), header(headers, 'event-delay')]) ?? '',
    10,
  )
  return {
    from,
    recover: parsePosition(
      firstOf([unwrapped(query, 'recover'), header(headers, 'recover'), header(headers, 'recover-date')]),
    ),
    withDependencies: option('no-dependencies', 'no-relationships') !== 'true',
    listenDelete: option('listen-delete') !== 'false',
    withInferences: option('with-inferences') === 'true',
    delayMs: Number.isNaN(delay) ? 0 : Math.max(delay, 0),
  }
}

function firstOf(texts: readonly (string | undefined)[]): string | undefined {
  return texts.find((text) => text !== undefined && text !== '')
}

/** Only `from`, `recover`, and `delay` use the first of repeated parameters … */
function unwrapped(query: URLSearchParams, name: string): string | undefined {
  return query.get(name) ?? undefined
}

/** … any other repeated parameter is a list, which never equals the expected text. */
function single(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name)
  return values.length > 1 ? values.join(',') : values[0]
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}
