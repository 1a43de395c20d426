import { StateError } from '../errors/state-error.ts'
import { acquireLease } from '../store/acquire-lease.ts'
import { copyName } from '../store/copy-name.ts'
import { RenewedLease } from '../store/renewed-lease.ts'
import { type StateLease, type StateOpenOptions } from '../store/state-store.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { acquireScript, releaseScript, renewScript, tokenKeyOf } from './lease-scripts.ts'
import { type RedisConnection } from './redis-connection.ts'
import { orAway } from './redis-failure.ts'

/**
 * The right to work on what some keys of Redis stand for, until it is released or not renewed in time. One lease
 * can hold many keys; they are renewed together in one round trip, and lost together.
 *
 * Each key has a token that grows with each new holder. Whoever writes with the token of an earlier holder is
 * refused (see {@link fence}), even after a freeze. A lease that ran out continues with the same token if nobody
 * else has taken it.
 *
 * @example
 * ```ts
 * import { RedisConnection, RedisLease } from 'opencti-stream-connector/redis'
 *
 * const connection = new RedisConnection({ url: 'redis://127.0.0.1:6379', timeoutMs: 2500 })
 * await connection.connected()
 * const lease = new RedisLease({ connection, ttlMs: 5000 })
 * await lease.wait('{my-connector}:leader')
 * if (lease.isHeld) console.log('this copy leads')
 * await lease.release()
 * lease.end()
 * connection.close()
 * ```
 */
export class RedisLease implements StateLease {
  readonly #connection: RedisConnection
  readonly #clock: Clock
  readonly #ttlMs: number
  /** Tells two lives of a holder apart. */
  readonly #holder: string
  /** Token by key. */
  readonly #tokens = new Map<string, string>()
  /** What was seen of the keys that others hold. */
  readonly #others = new Map<string, SeenLease>()
  readonly #renewed: RenewedLease

  constructor(options: RedisLeaseOptions) {
    this.#connection = options.connection
    this.#clock = options.clock ?? systemClock
    this.#ttlMs = options.ttlMs ?? 5000
    this.#holder = `${crypto.randomUUID()} ${options.name ?? copyName()}`
    this.#renewed = new RenewedLease({
      clock: this.#clock,
      ttlMs: this.#ttlMs,
      acquired: { nowMs: -Infinity, monotonicMs: -Infinity },
      renew: () => this.#renew(),
    })
  }

  /** Whether work may start now: nobody else can have any of the keys yet, and there are some. */
  get isHeld(): boolean {
    return this.#tokens.size > 0 && this.#renewed.isHeld
  }

  get lost(): AbortSignal {
    return this.#renewed.lost
  }

  whenHeld(): Promise<void> | undefined {
    return this.isHeld ? undefined : this.#renewed.whenHeld()
  }

  /** The keys that are held. */
  get keys(): Iterable<string> {
    return this.#tokens.keys()
  }

  /** What a script checks before it writes: each of these keys must have its value. */
  get fence(): ReadonlyMap<string, string> {
    return new Map(Array.from(this.#tokens, ([key, token]) => [tokenKeyOf(key), token]))
  }

  /**
   * Tries to get keys. Those that nobody else holds are held afterwards. One that another was seen to hold, and that
   * Redis has forgotten since, counts as held by that one for another lease time: it may not know yet.
   *
   * @returns who holds the others.
   * @throws StateError if Redis does not answer, or the lease is lost.
   */
  async acquire(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    this.lost.throwIfAborted()
    const answer = await this.#connection.run('writing', acquireScript, keys, [
      String(this.#ttlMs),
      this.#holder,
      ...keys.map((key) => this.#seenTokenOf(key)),
    ])
    const others = new Map<string, string>()
    for (const [index, [token, holder]] of (answer as readonly [string, string][]).entries()) {
      const key = keys[index]!
      if (holder === this.#holder) {
        this.#tokens.set(key, token)
        this.#others.delete(key)
      } else {
        const seen = this.#others.get(key)
        const other: SeenLease =
          holder === ''
            ? { ...seen!, forgottenSinceMs: seen!.forgottenSinceMs ?? systemClock.monotonic() }
            : { token, holder: nameOfHolder(holder), forgottenSinceMs: undefined }
        this.#others.set(key, other)
        others.set(key, other.holder)
      }
    }
    // An answer may come late; the keys are only held from a renewal that includes them.
    const isRenewed = this.#tokens.size === 0 || (await this.#renewed.renew())
    this.lost.throwIfAborted()
    if (!isRenewed)
      throw this.#connection.problem ?? new StateError('STATE_UNREADABLE', 'Redis did not renew the lease.')
    return others
  }

  /**
   * Waits until a key is held, while others hold it and while Redis is away.
   *
   * @param prepare must also succeed, and is repeated until Redis answers.
   * @returns its result.
   * @throws the signal's reason; or a StateError if the lease is lost, or Redis refuses this user.
   */
  wait<T = void>(key: string, options: StateOpenOptions = {}, prepare?: () => Promise<T>): Promise<T> {
    const attempt = async () => {
      const holder = (await this.acquire([key])).get(key)
      return holder === undefined ? { held: (await prepare?.()) as T } : { holder }
    }
    // Whoever waits is awake: only the holder's clock counts.
    return acquireLease(() => orAway(attempt), { ...options, clock: systemClock, ttlMs: this.#ttlMs })
  }

  /**
   * Gives keys back, so that others need not wait. What was done with them must be over.
   *
   * @param keys all if omitted.
   */
  async release(keys: Iterable<string> = [...this.#tokens.keys()]): Promise<void> {
    const held = [...keys].filter((key) => this.#tokens.has(key))
    if (held.length === 0) return
    const tokens = held.map((key) => this.#tokens.get(key)!)
    for (const key of held) this.#tokens.delete(key)
    await this.#connection.run('writing', releaseScript, held, [this.#holder, ...tokens])
  }

  /** A write was refused because of the {@link fence}: the lease is lost. */
  lose(error: StateError): void {
    this.#renewed.lose(error)
  }

  /** Renews no more: the keys that were not released are free for others when their time is over. */
  end(): void {
    this.#renewed.end()
  }

  /** Empty once whoever held it knows, or has ended its work by its own clock. */
  #seenTokenOf(key: string): string {
    const { token, forgottenSinceMs } = this.#others.get(key) ?? {}
    const isOver = forgottenSinceMs !== undefined && systemClock.monotonic() - forgottenSinceMs > this.#ttlMs
    return token === undefined || isOver ? '' : token
  }

  async #renew(): Promise<StateError | undefined> {
    const keys = [...this.#tokens.keys()]
    if (keys.length === 0) throw new Error('There is nothing to renew.')
    const parameters = [String(this.#ttlMs), this.#holder, ...this.#tokens.values()]
    const taken = await this.#connection.run('writing', renewScript, keys, parameters)
    // Meanwhile, some may have been released.
    const loss = (taken as readonly [string, string][]).find(([key]) => this.#tokens.has(key))
    return loss === undefined ? undefined : leaseLost(nameOfHolder(loss[1]))
  }
}

/**
 * The error of a copy whose lease is lost.
 *
 * @param holder who leads now; undefined or empty if nobody does anymore.
 */
export function leaseLost(holder?: string): StateError {
  const who = holder === undefined || holder === '' ? 'Another copy' : `The copy ${holder}`
  return new StateError(
    'STATE_LOST',
    `${who} has taken over the state in Redis, or the data there was removed: this copy was frozen or cut off for ` +
      'longer than its lease. It writes nothing more and starts over.',
  )
}

/** The name for people in what a lease is set to. */
export function nameOfHolder(holder: string): string {
  return holder.slice(holder.indexOf(' ') + 1)
}

/** A lease that another holder had when it was last seen. */
interface SeenLease {
  readonly token: string
  /** Name for people. */
  readonly holder: string
  /** When Redis was first found to have lost it, on the monotonic clock. */
  readonly forgottenSinceMs: number | undefined
}

/** Options of a {@link RedisLease}. */
export interface RedisLeaseOptions {
  /**
   * One for leases alone: behind megabytes of other commands, a renewal comes too late. Its `timeoutMs` must be
   * below the lease time.
   */
  readonly connection: RedisConnection
  /**
   * What others are told about this copy.
   * @default host name and process id
   */
  readonly name?: string | undefined
  /**
   * Time after which a lease that is not renewed is free for others, in milliseconds.
   * @default 5000
   */
  readonly ttlMs?: number | undefined
  readonly clock?: Clock | undefined
}
