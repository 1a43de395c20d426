import { type IncomingMessage } from 'node:http'
import { createGzip } from 'node:zlib'
import { type ServedLists, type ServedVersion } from '../../lists/served-lists.ts'
import { type Clock } from '../../util/clock.ts'
import { millisecondsOfHttpDate } from '../../util/http-date.ts'
import { isOwnHost } from './host-check.ts'
import { type HttpAnswer, type HttpFolder } from './http-endpoint.ts'
import { isOpen, type ListAccess, requireListAccess } from './list-access.ts'
import { challenges, hasToken } from './list-token.ts'

/** Path of the lists. */
const listsPath = '/lists/'

/** When to retry a list that is not complete yet, in seconds. */
const retryAfterSeconds = 30

/** Smaller lists are not compressed. */
const minGzipBytes = 1024

export interface ListFolderOptions extends ListAccess {
  readonly lists: ServedLists
  readonly clock: Clock
  /** Host names accepted without a token, in lower case: pages of other web sites must not read the lists. */
  readonly names: ReadonlySet<string>
}

/**
 * Answers `GET` and `HEAD` of `/lists/<name>`. Only 200 has a body: a firewall that only looks at the body
 * must never find entries in another answer. A list without a version is 503, so that nobody clears an
 * existing list.
 *
 * @throws StreamConnectorError `SETTINGS_INVALID` if lists could not be served, or would be open to everyone.
 */
export function listFolder({ lists, clock, names, ...access }: ListFolderOptions): HttpFolder {
  requireListAccess(access)
  const { token } = access
  return {
    path: listsPath,
    answer: (request, name) => {
      if (isOpen(token)) {
        if (!isOwnHost(request.headers.host, names)) return without(403)
      } else if (!hasToken(request.headers.authorization, token))
        return without(401, { 'www-authenticate': challenges })
      if (!lists.has(name)) return without(404)
      const version = lists.version(name)
      return version === undefined ? notYet() : answerWith(version, request, clock.now())
    },
  }
}

const without = (status: number, headers: HttpAnswer['headers'] = {}): HttpAnswer => ({
  status,
  body: '',
  headers,
})

const notYet = () => without(503, { 'retry-after': String(retryAfterSeconds) })

function answerWith(version: ServedVersion, request: IncomingMessage, nowMs: number): HttpAnswer {
  const isGzip = version.bytes >= minGzipBytes && takesGzip(request.headers['accept-encoding'])
  // Each answer is compressed again, so only the content is certain to be the same.
  const tag = isGzip ? `"${version.sha256}-gzip"` : `"${version.sha256}"`
  const modifiedSeconds = Math.floor(version.modifiedMs / 1000)
  // Until this second is over, another list may be published with the same date.
  const isDated = nowMs >= (modifiedSeconds + 1) * 1000
  const headers = {
    etag: isGzip ? `W/${tag}` : tag,
    'cache-control': 'no-cache',
    vary: 'accept-encoding',
    ...(isDated ? { 'last-modified': new Date(modifiedSeconds * 1000).toUTCString() } : {}),
  }
  if (isKnown(request, tag, isDated ? modifiedSeconds * 1000 : undefined))
    return { status: 304, body: '', headers }
  const stream = request.method === 'HEAD' ? undefined : version.read()
  if (request.method !== 'HEAD' && stream === undefined) return notYet()
  return {
    status: 200,
    contentType: version.contentType,
    headers: isGzip ? { ...headers, 'content-encoding': 'gzip' } : headers,
    body: stream === undefined ? [] : isGzip ? [stream, createGzip()] : [stream],
    ...(isGzip ? {} : { bytes: version.bytes }),
  }
}

/**
 * Whether the client already has the answer (RFC 9110, 13.2.2). A date only counts if it is exactly the one
 * sent: a clock that was set back would make a new list look old.
 */
function isKnown({ headers }: IncomingMessage, tag: string, modifiedMs: number | undefined): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined)
    return tags.trim() === '*' || [...tags.matchAll(/"[^"]*"/g)].some(([each]) => each === tag)
  const since = headers['if-modified-since']
  return since !== undefined && modifiedMs !== undefined && millisecondsOfHttpDate(since) === modifiedMs
}

/** Whether the client accepts gzip (RFC 9110, 12.5.3). */
function takesGzip(header: string | string[] | undefined): boolean {
  const codings = String(header ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.split(';').map((part) => part.trim()))
  const [, ...parameters] = codings.find(([name]) => name === 'gzip' || name === 'x-gzip') ??
    codings.find(([name]) => name === '*') ?? ['', 'q=0']
  return !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
}
