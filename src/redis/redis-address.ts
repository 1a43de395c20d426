import { isIP } from 'node:net'
import { SettingsError } from '../errors/settings-error.ts'

/** Where a Redis is, and as whom to sign in. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  /** Name that the server's certificate must have. Undefined if it must be for the IP address. */
  readonly serverName: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
}

/** Port of Redis. */
const defaultPort = 6379

/**
 * Reads `redis[s]://[user[:password]@]host[:port][/database]`
 * (www.iana.org/assignments/uri-schemes/prov/redis).
 *
 * @param setting environment variable with the URL, for the error.
 * @throws SettingsError without the URL, which may contain a password.
 */
export function parseRedisAddress(url: string, setting: string): RedisAddress {
  const parsed = URL.parse(url)
  const database = /^\/?(\d{0,4})\/?$/.exec(parsed?.pathname ?? '')?.[1]
  const isTls = parsed?.protocol === 'rediss:'
  if (parsed === null || (parsed.protocol !== 'redis:' && !isTls) || parsed.hostname === '') {
    throw wrongAddress(setting, 'is not the address of a Redis')
  }
  if (database === undefined) throw wrongAddress(setting, 'has a path that is not the number of a database')
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    host,
    port: parsed.port === '' ? defaultPort : Number(parsed.port),
    isTls,
    serverName: isIP(host) === 0 ? host : undefined,
    username: decoded(parsed.username),
    password: decoded(parsed.password),
    database: Number(database),
  }
}

/**
 * The node that a Redis Cluster refers to: `MOVED <slot> <host>:<port>`. The host is empty if only the port differs
 * (redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec).
 */
export function nodeOfMoved(error: unknown): { host?: string; port: number } | undefined {
  const moved = error instanceof Error ? /^MOVED \d+ (.*):(\d+)$/.exec(error.message) : null
  if (moved === null) return undefined
  const [, host, port] = moved
  return host === '' ? { port: Number(port) } : { host: host!, port: Number(port) }
}

function decoded(part: string): string | undefined {
  if (part === '') return undefined
  try {
    return decodeURIComponent(part)
  } catch {
    // A percent sign that was not encoded.
    return part
  }
}

function wrongAddress(setting: string, message: string): SettingsError {
  return new SettingsError([
    {
      environment: setting,
      message,
      remedy:
        'Write redis://host:6379, or rediss://user:password@host:6379/0 with TLS, a user, and a database.',
    },
  ])
}
