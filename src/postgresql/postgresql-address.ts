import { readFileSync } from 'node:fs'
import { type ConnectionOptions } from 'node:tls'
import { StateError } from '../errors/state-error.ts'

/** How a connection is secured: the values of `sslmode` (PostgreSQL documentation, "SSL Support"). */
type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** Where a database is, and how to log in. */
export interface PostgresqlAddress {
  /** Servers to try, in this order, until one accepts writes. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly database: string
  readonly user: string
  readonly password: string | undefined
  /** Further settings of the session, such as `-c search_path=connectors`. */
  readonly options: string | undefined
  readonly ssl: {
    readonly mode: SslMode
    /** Read when connecting, because certificates are renewed. */
    readonly options: () => ConnectionOptions
  }
}

const defaultPort = 5432
const parts = /^postgres(?:ql)?:\/\/(?:([^@/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/i
const known = new Set([
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'options',
  'host',
  'port',
  'user',
  'password',
])
/** Accepted from addresses written for libpq: this client behaves so in any case, or does not need them. */
const ignored = new Set([
  'target_session_attrs',
  'application_name',
  'connect_timeout',
  'keepalives',
  'channel_binding',
])

/**
 * Reads a connection URI as `psql` does, several hosts included (PostgreSQL documentation, "Connection URIs").
 *
 * @throws StateError `STATE_UNREADABLE` that says what is wrong, without the password.
 */
export function parsePostgresqlUrl(url: string): PostgresqlAddress {
  const [, login = '', places = '', path = '', query = ''] =
    parts.exec(url.trim()) ?? malformed('it is not a postgres:// address')
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (!known.has(name) && !ignored.has(name))
      malformed(`it has an unknown parameter, ${JSON.stringify(name)}`)
  }
  const parameter = (name: string) => parameters.get(name) || undefined
  const [user = '', password] = login === '' ? [] : split(login, ':')
  const hosts = hostsOf(parameter('host') ?? decoded(places), parameter('port'))
  const name = parameter('user') ?? decoded(user)
  if (name === '') malformed('the user is missing: postgres://USER@host/database')
  const database = decoded(path)
  return {
    hosts,
    database: database === '' ? name : database,
    user: name,
    password: parameter('password') ?? (password === undefined ? undefined : decoded(password)),
    options: parameter('options'),
    ssl: sslOf(parameters),
  }
}

/** The address for messages: without user and password. */
export function placeOf({ hosts, database }: PostgresqlAddress): string {
  return `${hosts.map(({ host, port }) => `${host}:${port}`).join(',')}/${database}`
}

function hostsOf(text: string, commonPort: string | undefined): PostgresqlAddress['hosts'] {
  return text.split(',').map((each) => {
    // A folder has a socket in it; an IPv6 address is in brackets.
    const [, host = '', port] =
      /^(\/.*|\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(each) ?? malformed('a host is not readable')
    const number = Number(port || commonPort || defaultPort)
    if (!Number.isInteger(number) || number < 1 || number > 65_535)
      malformed('a port is not a number from 1 to 65535')
    return { host: host.replace(/^\[|\]$/g, '') || 'localhost', port: number }
  })
}

function sslOf(parameters: URLSearchParams): PostgresqlAddress['ssl'] {
  const said = parameters.get('sslmode') || 'prefer'
  const mode = said === 'allow' ? 'prefer' : said
  if (!/^(?:disable|prefer|require|verify-ca|verify-full)$/.test(mode))
    malformed('sslmode must be disable, prefer, require, verify-ca, or verify-full')
  const root = parameters.get('sslrootcert') || undefined
  const file = (name: string) => {
    const path = parameters.get(name)
    return path ? readFileSync(path, 'utf8') : undefined
  }
  return {
    mode: mode as SslMode,
    options: () => {
      const [ca, cert, key] = [
        root === 'system' ? undefined : file('sslrootcert'),
        file('sslcert'),
        file('sslkey'),
      ]
      return {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        // A root certificate makes `require` verify, as in libpq.
        rejectUnauthorized: mode.startsWith('verify') || (mode === 'require' && ca !== undefined),
        ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
      }
    },
  }
}

function split(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator)
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return malformed('a percent sign in it is not followed by two hexadecimal digits (a % itself is %25)')
  }
}

function malformed(why: string): never {
  throw new StateError(
    'STATE_UNREADABLE',
    `The address of the database in CONNECTOR_STATE_URL (connector.state_url) cannot be used: ${why}.`,
  )
}
