import { RedisConnection } from '../redis/redis-connection.ts'
import { isAway } from '../redis/redis-failure.ts'
import { type StateOpenOptions } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { ClusterKeys } from './cluster-keys.ts'
import { EndedEntries } from './ended-entries.ts'
import { nameForPeople } from './group.ts'
import { Membership, type MembershipOptions } from './membership.ts'
import { StreamTail } from './stream-tail.ts'

/** Pause before another attempt to join, in milliseconds. */
const retryMs = 1000

/** What a copy has from joining its cluster until it leaves or loses it. */
export class ClusterTenure {
  readonly membership: Membership
  /** For everything that is neither a heartbeat nor a wait. */
  readonly connection: RedisConnection
  readonly keys: ClusterKeys
  readonly partitions: number
  /** Name of this copy. */
  readonly name: string
  readonly ended: EndedEntries
  /** Waits for entries of partitions. */
  readonly tail: StreamTail
  readonly #connect: () => RedisConnection
  readonly #connections: RedisConnection[] = []
  readonly #clock: Clock
  readonly #over = new AbortController()

  /** @param owner connector id. */
  constructor(owner: string, options: ClusterTenureOptions) {
    const { url, setting, clock, partitions } = options
    this.#connect = () => {
      const connection = new RedisConnection({ url, setting, clock })
      this.#connections.push(connection)
      return connection
    }
    this.partitions = partitions
    this.name = options.name
    this.#clock = clock
    this.keys = new ClusterKeys(owner)
    this.ended = new EndedEntries(this.keys)
    this.connection = this.#connect()
    this.tail = new StreamTail(this.#connect())
    this.membership = new Membership({ ...options, keys: this.keys, connection: this.#connect() })
  }

  /** Waits for news from the partitions, if this copy leads. */
  leaderTail(): StreamTail {
    return new StreamTail(this.#connect())
  }

  /**
   * Joins the cluster. Resolves when this copy leads, or another one has determined where to read.
   *
   * @throws StateError if the cluster is another one, or Redis rejects this user; the reason of the signal.
   */
  async join({ signal = new AbortController().signal, onWait }: StateOpenOptions): Promise<void> {
    const { membership } = this
    for (;;) {
      try {
        for (const connection of this.#connections) await connected(connection, { signal, onWait })
        await membership.join()
        break
      } catch (error) {
        signal.throwIfAborted()
        if (!isAway(error)) throw error
        onWait?.({ for: 'server', error })
        await delay(this.#clock, retryMs, signal)
      }
    }
    membership.stand()
    void membership.run(this.#over.signal)
    const over = AbortSignal.any([signal, membership.lost])
    for (let told: string | undefined; ;) {
      const { leader, ready } = membership.group
      if (membership.leading !== undefined || ready !== undefined) return
      if (leader !== undefined && leader !== told)
        onWait?.({ for: 'leader', holder: nameForPeople((told = leader)) })
      await raceWithSignal(over, () => membership.changed())
    }
  }

  /** Leaves the cluster. What was not given back before counts as cut off. */
  async end(): Promise<void> {
    // If that fails, the others wait until the leases are over.
    await this.membership.leave().catch(() => {})
    this.#over.abort(new Error('The copy has left its cluster.'))
    for (const connection of this.#connections) connection.close()
  }
}

/** Resolves when there is a connection; says what is in the way. @throws StateError if waiting does not help. */
async function connected(
  connection: RedisConnection,
  { signal, onWait }: StateOpenOptions & { readonly signal: AbortSignal },
): Promise<void> {
  for (let told: string | undefined; !connection.isConnected;) {
    const { problem } = connection
    if (problem !== undefined && !isAway(problem)) throw problem
    if (problem !== undefined && problem.message !== told) onWait?.({ for: 'server', error: problem })
    told = problem?.message
    await raceWithSignal(signal, () => connection.changed())
  }
}

export interface ClusterTenureOptions extends Omit<MembershipOptions, 'keys' | 'connection'> {
  readonly url: string
  /** Environment variable with the address, for errors. */
  readonly setting: string
}
