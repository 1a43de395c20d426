import { type Clock } from '../util/clock.ts'

/** Options of a `PostgresqlStore`. */
export interface PostgresqlStoreOptions {
  /**
   * Connection URI as `psql` accepts it: `postgres://user:password@host:5432/database?sslmode=verify-full`, also
   * with several hosts.
   */
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
   * Time limit of each call, in milliseconds.
   * @default 20_000
   */
  readonly timeoutMs?: number | undefined
  /**
   * What other copies and `check` call this one.
   * @default host name and process id
   */
  readonly copyName?: string | undefined
  /** @default systemClock */
  readonly clock?: Clock | undefined
}
