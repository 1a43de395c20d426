import { once } from 'node:events'
import { type StateError } from '../errors/state-error.ts'
import { backoffMs, systemRandom, type Random } from '../util/backoff.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { delay } from '../util/delay.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { nodeOfMoved, parseRedisAddress, type RedisAddress } from './redis-address.ts'
import { ConnectionError, redisErrorCode, redisFailure, type RedisTask } from './redis-failure.ts'
import { redisLibrary } from './redis-library.ts'
import { type RedisScript } from './redis-script.ts'

const retryBounds = { baseMs: 100, maxMs: 2000 }

/** Answers after which another connection may lead to a server that can do it: the new primary, or the right node. */
const isElsewhere = new Set(['READONLY', 'MASTERDOWN', 'LOADING', 'MOVED', 'CLUSTERDOWN'])

/** One connection, from the first answer to its end. */
interface Life {
  readonly client: Awaited<ReturnType<typeof newClient>>
  /** Ends it. */
  readonly end: (error: unknown) => void
}

/**
 * A connection to Redis that restores itself. While it is down, commands fail at once: one that arrives late is
 * worse than none. Every command has a time limit; when that is over, the connection is given up, because
 * answers come in order.
 *
 * On Redis Cluster, it follows the node that holds the keys. All keys must have the same hash tag.
 *
 * @example
 * ```ts
 * import { RedisConnection } from 'opencti-stream-connector/redis'
 *
 * const connection = new RedisConnection({ url: 'redis://127.0.0.1:6379' })
 * await connection.connected()
 * console.log(await connection.command('reading', ['PING'])) // PONG
 * connection.close()
 * ```
 */
export class RedisConnection {
  readonly #address: RedisAddress
  readonly #setting: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #timeoutMs: number
  readonly #closing = new AbortController()
  readonly #changed = new Condition()
  #life: Life | undefined
  #connectionCount = 0
  /** Why the last connection ended, or could not be made. */
  #error: unknown
  /** The first attempt since the start or since the last connection is under way. */
  #isFirstAttempt = true

  /** Begins to connect at once. */
  constructor(options: RedisConnectionOptions) {
    this.#setting = options.setting ?? 'CONNECTOR_STATE_URL'
    this.#address = parseRedisAddress(options.url, this.#setting)
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#timeoutMs = options.timeoutMs ?? 10_000
    void this.#stayConnected()
  }

  /** Why there is no connection now; undefined if there is one, or the first attempt has not ended. */
  get problem(): StateError | undefined {
    return this.#error === undefined ? undefined : redisFailure(this.#error, 'reading', this.#setting)
  }

  get isConnected(): boolean {
    return this.#life !== undefined
  }

  /** How often it was connected. Another number tells that the server may have been restarted, or be another one. */
  get connectionCount(): number {
    return this.#connectionCount
  }

  /** Resolves at the next change of {@link isConnected} or {@link problem}. */
  changed(): Promise<void> {
    return this.#changed.wait()
  }

  /**
   * Resolves when there is a connection, however long it takes.
   *
   * @throws the signal's reason, or a StateError if this is closed.
   */
  async connected(signal: AbortSignal = new AbortController().signal): Promise<void> {
    while (this.#life === undefined) {
      if (this.#closing.signal.aborted) throw this.problem!
      await raceWithSignal(signal, () => this.changed())
    }
  }

  /**
   * Sends one command; waits for the first attempt to connect, also after a loss. Commands of one turn of the event loop travel together.
   *
   * @param task for the error: what the answer is needed for.
   * @param timeoutMs for a command that may take longer than others, in milliseconds.
   * @throws StateError `STATE_NOT_WRITTEN` or `STATE_UNREADABLE`. A command that failed because of the
   *   connection may have been carried out, or may still be.
   */
  async command(
    task: RedisTask,
    parts: readonly (string | Buffer)[],
    timeoutMs = this.#timeoutMs,
  ): Promise<unknown> {
    try {
      return await this.#send(parts, timeoutMs)
    } catch (error) {
      throw redisFailure(error, task, this.#setting)
    }
  }

  /** Runs a script; see {@link command}. */
  async run(
    task: RedisTask,
    script: RedisScript,
    keys: readonly string[],
    parameters: readonly (string | Buffer)[] = [],
    timeoutMs = this.#timeoutMs,
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...parameters]
    try {
      try {
        return await this.#send(['EVALSHA', script.sha1, ...rest], timeoutMs)
      } catch (error) {
        if (redisErrorCode(error) !== 'NOSCRIPT') throw error
        return await this.#send(['EVAL', script.source, ...rest], timeoutMs)
      }
    } catch (error) {
      throw redisFailure(error, task, this.#setting)
    }
  }

  /** Ends the connection; commands under way fail. Safe to call twice. */
  close(): void {
    this.#isFirstAttempt = false
    this.#closing.abort(new ConnectionError('CLOSED'))
    this.#changed.notifyAll()
  }

  async #send(parts: readonly (string | Buffer)[], timeoutMs: number, isAgain = false): Promise<unknown> {
    while (this.#life === undefined && this.#isFirstAttempt) await this.changed()
    const life = this.#life
    if (life === undefined) throw this.#error
    const cancel = this.#clock.schedule(timeoutMs, () => life.end(new ConnectionError('NOANSWER')))
    try {
      return await life.client.sendCommand(parts)
    } catch (error) {
      const code = redisErrorCode(error) ?? ''
      if (isElsewhere.has(code)) life.end(error)
      if (code === 'MOVED' && !isAgain) {
        return await this.#send(parts, timeoutMs, true)
      }
      // The client only says that it was told to end.
      throw this.#life === life ? error : (this.#error ?? error)
    } finally {
      cancel()
    }
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#closing
    let address = this.#address
    for (let failures = 0; !signal.aborted;) {
      let wasConnected = false
      const ended = await this.#live(address, () => (wasConnected = true))
      const node = nodeOfMoved(ended)
      address = node === undefined ? this.#address : { ...this.#address, ...node }
      failures = wasConnected ? 0 : failures + 1
      this.#isFirstAttempt = wasConnected && !signal.aborted
      this.#changed.notifyAll()
      if (this.#isFirstAttempt) continue
      const pauseMs = backoffMs(failures, retryBounds, this.#random)
      await delay(this.#clock, pauseMs, signal).catch(() => {})
    }
  }

  /** Connects, and returns what the connection ended with. */
  async #live(address: RedisAddress, onConnected: () => void): Promise<unknown> {
    let client: Life['client']
    try {
      client = await newClient(address, this.#timeoutMs)
    } catch (error) {
      this.#error = error
      return error
    }
    const over = new AbortController()
    const end = (error: unknown) => {
      if (over.signal.aborted) return
      if (this.#life?.client === client) this.#life = undefined
      this.#error = error
      over.abort(error)
      client.destroy()
    }
    // Without a listener, an 'error' would end the process.
    client.on('error', (error) =>
      end(redisErrorCode(error) === undefined ? new ConnectionError('DISCONNECTED') : error),
    )
    const cancel = this.#clock.schedule(this.#timeoutMs, () => end(new ConnectionError('NOANSWER')))
    const close = () => end(this.#closing.signal.reason)
    this.#closing.signal.addEventListener('abort', close)
    try {
      // When it is destroyed, the client may leave the promise of connecting open.
      await raceWithSignal(over.signal, () => client.connect().then(() => requirePrimary(client)))
      if (over.signal.aborted) throw over.signal.reason
      this.#life = { client, end }
      this.#connectionCount++
      this.#error = undefined
      onConnected()
      this.#isFirstAttempt = true
      this.#changed.notifyAll()
    } catch (error) {
      end(error)
    } finally {
      cancel()
    }
    if (!over.signal.aborted) await once(over.signal, 'abort')
    this.#closing.signal.removeEventListener('abort', close)
    return over.signal.reason
  }
}

/** Options of a {@link RedisConnection}. */
export interface RedisConnectionOptions {
  /** `redis[s]://[user[:password]@]host[:port][/database]`; `rediss` is TLS. */
  readonly url: string
  /**
   * Environment variable with the URL, for errors.
   * @default 'CONNECTOR_STATE_URL'
   */
  readonly setting?: string | undefined
  /**
   * Time limit of connecting, and of each command, in milliseconds.
   * @default 10000
   */
  readonly timeoutMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

async function newClient(address: RedisAddress, timeoutMs: number) {
  const { createClient } = await redisLibrary()
  const { host, port, isTls, serverName, username, password, database } = address
  // Reconnecting is ours: the client would wait without end for a server that accepts and never answers.
  const socket = { host, port, reconnectStrategy: false as const, connectTimeout: timeoutMs * 2 }
  return createClient({
    socket: isTls
      ? { ...socket, tls: true, ...(serverName === undefined ? {} : { servername: serverName }) }
      : socket,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    database,
    RESP: 2,
    disableClientInfo: true,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    // Its limit only counts until a command is sent, and costs a timer each.
    commandOptions: { timeout: 0 },
  })
}

/** A replica would give old answers. */
async function requirePrimary(client: Awaited<ReturnType<typeof newClient>>): Promise<void> {
  const [role] = await Promise.all([
    client.sendCommand(['ROLE']).catch((error: unknown) => {
      // The user may lack the right; then the first write tells.
      if (redisErrorCode(error) !== 'NOPERM' && redisErrorCode(error) !== 'ERR') throw error
    }),
    client.sendCommand(['PING']),
  ])
  if (Array.isArray(role) && role[0] === 'slave') throw new ConnectionError('READONLY')
}
