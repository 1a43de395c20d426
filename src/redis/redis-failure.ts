import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { StateError } from '../errors/state-error.ts'
import { type LeaseAttempt } from '../store/acquire-lease.ts'

type ConnectionErrorCode = 'DISCONNECTED' | 'NOANSWER' | 'READONLY' | 'CLOSED'

/** The connection failed, without an error of the network or of Redis. */
export class ConnectionError extends Error {
  readonly code: ConnectionErrorCode

  constructor(code: ConnectionErrorCode) {
    super(code)
    this.code = code
  }
}

/** What was being done when Redis failed. */
export type RedisTask = 'reading' | 'writing'

/**
 * Explains what a failure of Redis or of the connection means, and what to do.
 *
 * @param error what was thrown.
 * @param task whether the state was being read (or opened) or changed.
 * @param setting environment variable with the address.
 */
export function redisFailure(error: unknown, task: RedisTask, setting: string): StateError {
  if (error instanceof StateError) return error
  const what = `The state in Redis (${setting}) could not be ${task === 'writing' ? 'written' : 'read'}`
  const code = task === 'writing' ? 'STATE_NOT_WRITTEN' : 'STATE_UNREADABLE'
  return new StateError(code, `${what}: ${reasonOf(error, setting)}`, { cause: error })
}

/** The word with which Redis begins an error, such as `READONLY`; the code of a network error; or undefined. */
export function redisErrorCode(error: unknown): string | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return code
  return typeof message === 'string' ? /^[A-Z]{2,}(?= |$)/.exec(message)?.[0] : undefined
}

/** Whether waiting may help: Redis could not be asked, and not because it rejects this user, or the client library is not there. */
export function isAway(error: unknown): error is StateError {
  if (!isStreamConnectorError(error) || error.cause === undefined) return false
  const code = redisErrorCode(error.cause) ?? 'ERR'
  return !['NOAUTH', 'WRONGPASS', 'NOPERM', 'ERR', 'ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(code)
}

/** Makes an attempt, whose outcome is that Redis is away if waiting may help. @throws what does not resolve by waiting. */
export async function orAway<Held>(attempt: () => Promise<LeaseAttempt<Held>>): Promise<LeaseAttempt<Held>> {
  try {
    return await attempt()
  } catch (error) {
    if (!isAway(error)) throw error
    return { away: error }
  }
}

function reasonOf(error: unknown, setting: string): string {
  const code = redisErrorCode(error)
  const reason = reasons(setting).get(code ?? '')
  if (reason !== undefined) return `${reason} (${code}).`
  const message = error instanceof Error ? error.message : String(error)
  return `${message.replace(/\.$/, '')}.`
}

const unknownAuthority =
  'its certificate was issued by an unknown authority; name the file of that authority in NODE_EXTRA_CA_CERTS'
const cut = 'the connection was dropped; the connector connects again by itself'
const noAnswer = 'it did not answer in time; check that it is up and not overloaded'
const cluster = 'the Redis Cluster is not complete or is moving this state; check "redis-cli --cluster check"'

function reasons(setting: string): ReadonlyMap<string, string> {
  const noUser = `it rejects the user or password in ${setting}`
  return new Map([
    ['ECONNREFUSED', `nothing is listening there; check that it is up, and the host and port in ${setting}`],
    ['ENOTFOUND', `the host name does not exist; check the host in ${setting}`],
    ['EAI_AGAIN', 'the DNS server did not answer; check the network if this continues'],
    ['EHOSTUNREACH', 'there is no route to that host; check the network'],
    ['ENETUNREACH', 'there is no route to that network; check the network'],
    ['ECONNRESET', cut],
    ['EPIPE', cut],
    ['DISCONNECTED', cut],
    ['CLOSED', 'the connector has closed its connection'],
    ['ETIMEDOUT', noAnswer],
    ['NOANSWER', `${noAnswer}, and check redis:// or rediss:// in ${setting}`],
    ['EPROTO', `it does not speak TLS there; check redis:// or rediss:// in ${setting}`],
    [
      'ERR_SSL_WRONG_VERSION_NUMBER',
      `it does not speak TLS there; check redis:// or rediss:// in ${setting}`,
    ],
    [
      'ERR_SSL_PACKET_LENGTH_TOO_LONG',
      `it does not speak TLS there; check redis:// or rediss:// in ${setting}`,
    ],
    ['CERT_HAS_EXPIRED', 'its certificate has expired; renew it'],
    ['CERT_NOT_YET_VALID', 'its certificate is not valid yet; check the clocks'],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      `its certificate is for another host name; check the host in ${setting}`,
    ],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', unknownAuthority],
    ['SELF_SIGNED_CERT_IN_CHAIN', unknownAuthority],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', unknownAuthority],
    ['UNABLE_TO_GET_ISSUER_CERT', unknownAuthority],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', unknownAuthority],
    ['LOADING', 'it has restarted and is still loading its data; the connector goes on when it is done'],
    [
      'READONLY',
      `it is a replica, which cannot be written: after a failover, ${setting} must lead to the new primary`,
    ],
    ['MASTERDOWN', 'it is a replica without a primary; check the replication'],
    ['NOREPLICAS', 'it has fewer replicas than min-replicas-to-write requires; check the replicas'],
    ['OOM', 'its memory is full (maxmemory); give it more, or remove what does not belong to the connector'],
    [
      'MISCONF',
      'it cannot save to its disk, so it accepts no writes; check the disk of the server and its log',
    ],
    ['NOAUTH', `it requires a password; write it in ${setting}: redis://:password@host:6379`],
    ['WRONGPASS', noUser],
    ['NOPERM', `the user in ${setting} lacks a permission; the deployment guide lists what it needs`],
    ['BUSY', 'a script of another client has kept it busy for seconds; wait, or end it with SCRIPT KILL'],
    [
      'MOVED',
      'the Redis Cluster keeps this state on another node that cannot be reached; check the addresses it announces',
    ],
    ['ASK', cluster],
    ['TRYAGAIN', cluster],
    ['CLUSTERDOWN', cluster],
  ])
}
