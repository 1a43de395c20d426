import { type IncomingMessage } from 'node:http'
import { isIPv4 } from 'node:net'
import { createGzip } from 'node:zlib'
import { StreamConnectorError } from '../../errors/stream-connector-error.ts'
import { type ServedLists, type ServedVersion } from '../../lists/served-lists.ts'
import { type Clock } from '../../util/clock.ts'
import { millisecondsOfHttpDate } from '../../util/http-date.ts'
import { type Secret } from '../../util/secret.ts'
import { isOwnHost } from './host-check.ts'
import { type HttpAnswer, type HttpFolder } from './http-endpoint.ts'
import { challenges, hasToken } from './list-token.ts'

/** Where lists are found. */
const listsPath = '/lists/'

/** After how many seconds to ask again for a list that is not complete yet. */
const retryAfterSeconds = 30

/** Smaller ones are not worth it. */
const minGzipBytes = 1024

export interface ListFolderOptions {
  readonly lists: ServedLists
  readonly clock: Clock
  /** The address that it listens on. */
  readonly host: string
  readonly port: number | undefined
  /** May be absent where only this machine can ask; then a web page of somebody else must still not read them. */
  readonly token: Secret | undefined
  /** Names under which this machine may be asked where there is no token, in lower case. */
  readonly names: ReadonlySet<string>
}

/**
 * Answers `GET` and `HEAD` of `/lists/<name>`. No answer but 200 has a body: a firewall that looks at the body alone must not
 * find entries in it. A list that has no version yet is 503, so that nobody clears what it has.
 *
 * @throws StreamConnectorError `SETTINGS_INVALID` when lists could not be served, or to everybody.
 */
export function listFolder({ lists, clock, host, port, token, names }: ListFolderOptions): HttpFolder {
  const isOpen = token === undefined || token.reveal() === ''
  if (port === undefined)
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'CONNECTOR_HEALTH_PORT (connector.health_port) is not set, and this connector serves lists there. Set it to a port.',
    )
  if (isOpen && !isLoopback(host))
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'CONNECTOR_LIST_TOKEN (connector.list_token) is not set, and everybody who can reach CONNECTOR_HEALTH_HOST could read the lists. Set it to a long random token, or CONNECTOR_HEALTH_HOST to 127.0.0.1.',
    )
  return {
    path: listsPath,
    answer: (request, name) => {
      if (!isOpen && !hasToken(request.headers.authorization, token))
        return without(401, { 'www-authenticate': challenges })
      if (isOpen && !isOwnHost(request.headers.host, names)) return without(403)
      if (!lists.has(name)) return without(404)
      const version = lists.version(name)
      return version === undefined ? notYet() : answerWith(version, request, clock.now())
    },
  }
}

const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))

const without = (status: number, headers: HttpAnswer['headers'] = {}): HttpAnswer => ({
  status,
  body: '',
  headers,
})

const notYet = () => without(503, { 'retry-after': String(retryAfterSeconds) })

function answerWith(version: ServedVersion, request: IncomingMessage, nowMs: number): HttpAnswer {
  const isGzip = version.bytes >= minGzipBytes && takesGzip(request.headers['accept-encoding'])
  // Of what is compressed anew each time only the meaning is the same for sure.
  const tag = isGzip ? `"${version.sha256}-gzip"` : `"${version.sha256}"`
  const modifiedSeconds = Math.floor(version.modifiedMs / 1000)
  // A second that is not over may bring another list with the same date.
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
 * Whether the client has what would be answered (RFC 9110, 13.2.2). A date counts only when it is the very one that was sent:
 * a clock that was set back would make a new list look old.
 */
function isKnown({ headers }: IncomingMessage, tag: string, modifiedMs: number | undefined): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined)
    return tags.trim() === '*' || [...tags.matchAll(/"[^"]*"/g)].some(([each]) => each === tag)
  const since = headers['if-modified-since']
  return since !== undefined && modifiedMs !== undefined && millisecondsOfHttpDate(since) === modifiedMs
}

/** Whether gzip is among what a client takes (RFC 9110, 12.5.3). */
function takesGzip(header: string | string[] | undefined): boolean {
  const codings = String(header ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.split(';').map((part) => part.trim()))
  const [, ...parameters] = codings.find(([name]) => name === 'gzip' || name === 'x-gzip') ??
    codings.find(([name]) => name === '*') ?? ['', 'q=0']
  return !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
}
