import { redisKeysOf, redisKeyTag } from '../redis/redis-keys.ts'

/**
 * Names of the keys that a cluster has in Redis. They share the hash tag of the connector's state, so that one
 * script can use them together, also on Redis Cluster.
 */
export class ClusterKeys {
  readonly #prefix: string
  readonly #leader: string

  constructor(connectorId: string) {
    this.#prefix = `${redisKeyTag(connectorId)}:cluster`
    this.#leader = redisKeysOf(connectorId).leader
  }

  /** What all copies agree on: a hash. */
  get agreement(): string {
    return `${this.#prefix}:agreement`
  }

  /** When each copy was last heard of: a sorted set. */
  get copies(): string {
    return `${this.#prefix}:copies`
  }

  /** What each copy says about itself: a hash. */
  get reports(): string {
    return `${this.#prefix}:reports`
  }

  /** How the leases were last held: a hash. */
  get tenures(): string {
    return `${this.#prefix}:tenures`
  }

  /**
   * Who reads the stream: the lease. The same as of copies that do not share the work, and of commands that
   * need the connector stopped, so that these wait for each other.
   */
  get leader(): string {
    return this.#leader
  }

  /** Which entries have ended, for the leader: a stream. */
  get ended(): string {
    return `${this.#prefix}:ended`
  }

  /** Until when the target asked everybody to wait; followed by a route. */
  pause(route: string | undefined): string {
    return `${this.#prefix}:pause:${route ?? ''}`
  }

  /** The token bucket of a route, or of all calls. */
  bucket(route: string | undefined): string {
    return `${this.#prefix}:bucket:${route ?? ''}`
  }

  /** Who owns a partition: the lease. */
  owner(partition: number): string {
    return `${this.#prefix}:owner:${partition}`
  }

  /** The token of the newest holder of a lease. Outlives the lease. @param lease its key. */
  token(lease: string): string {
    return `${lease}:token`
  }

  /** The unfinished events of a partition: a stream. */
  entries(partition: number): string {
    return `${this.#prefix}:entries:${partition}`
  }
}
