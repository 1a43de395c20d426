import { type Clock } from '../util/clock.ts'
import { type RedisLease } from './redis-lease.ts'

/** A lease that a store depends on. */
export type HeldLease = Pick<RedisLease, 'isHeld' | 'whenHeld' | 'lost' | 'fence' | 'lose'>

/** Options of a `RedisStore`. */
export interface RedisStoreOptions {
  /** `redis[s]://[user[:password]@]host[:port][/database]`; `rediss` is TLS. */
  readonly url: string
  /**
   * - `exclusive`: for the connector; waits while another copy leads
   * - `shared`: for tools that make changes (request a replay, purge) while the connector may be running
   * - `read-only`: for tools that only read
   *
   * Only `exclusive` creates what is missing.
   * @default 'exclusive'
   */
  readonly access?: 'exclusive' | 'shared' | 'read-only' | undefined
  /**
   * Time without a sign of life after which another copy takes over, in milliseconds.
   * @default 5000
   */
  readonly leaseMs?: number | undefined
  /**
   * Time limit of each call, in milliseconds. A large commit gets more.
   * @default 10_000
   */
  readonly timeoutMs?: number | undefined
  /**
   * What other copies and `check` call this one.
   * @default host name and process id
   */
  readonly copyName?: string | undefined
  /**
   * Environment variable with the address, for errors.
   * @default 'CONNECTOR_STATE_URL'
   */
  readonly setting?: string | undefined
  /**
   * A lease that somebody else acquires, renews, and releases. Every commit checks that all of its keys are still
   * held. The store then waits for none itself, and several stores can write at the same time.
   * @default the leader's lease of the connector
   */
  readonly lease?: HeldLease | undefined
  /** @default systemClock */
  readonly clock?: Clock | undefined
}
