import { StateError } from '../errors/state-error.ts'
import { describeError } from '../errors/verdict.ts'
import { type RedisConnection } from '../redis/redis-connection.ts'
import { type StateLease } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { type Logger } from '../util/logger.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type ClusterKeys } from './cluster-keys.ts'
import { type Group, type HeartbeatAnswer, nobody, groupOf } from './group.ts'
import { heartbeat, release } from './scripts.ts'

/** The right to lead, or to work on a partition. */
export interface ClusterLease {
  readonly key: string
  /** Grows with each holder; what every write checks. */
  readonly token: string
}

/** A partition that this copy owns. */
export interface OwnedPartition extends ClusterLease {
  readonly partition: number
  /**
   * Set if the former owner did not give the partition back and may have done more than it saved: since when
   * it had it, in milliseconds since 1970.
   */
  readonly cutOffSinceMs: number | undefined
}

/** Heartbeats per lease. */
const beatsPerLease = 4

/**
 * The part of a lease at its end in which nothing is started anymore: what is started must have a chance to
 * end in time, and clocks differ.
 */
const marginShare = 1 / 5

/**
 * A copy's place in the cluster: it tells the others that it is alive, holds its share of the partitions, and
 * leads if nobody else does. All leases are renewed together, so they are held together and lost together.
 */
export class Membership implements StateLease {
  readonly #options: MembershipOptions
  readonly #owned = new Map<number, OwnedPartition>()
  readonly #lost = new AbortController()
  readonly #changed = new Condition()
  readonly #renewed = new Condition()
  #generation = ''
  #leading: ClusterLease | undefined
  #group = nobody
  /** When the last successful heartbeat began, on both clocks. */
  #begun = { monotonicMs: Number.NEGATIVE_INFINITY, nowMs: Number.NEGATIVE_INFINITY }
  #mode: 'work' | 'watch' | 'leave' = 'watch'
  #mayLead = false
  #isOver = false
  #beating: Promise<void> | undefined
  #isFailing = false
  /** In how many milliseconds the first lease is over that is not renewed until then. */
  #soonestEndMs = Number.POSITIVE_INFINITY
  /** Until when this copy takes nothing, on the monotonic clock. */
  #cautiousUntilMs: number
  /** Of the connection of the last heartbeat. */
  #connectionCount = 0

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#cautiousUntilMs = options.cautiousUntilMs
  }

  /**
   * From when on this copy takes something, on the monotonic clock. After a loss, or when the connection was lost,
   * Redis may have been emptied or restarted, and may have forgotten what others hold. A lease time later, they know,
   * or have stopped by their own clocks.
   */
  get cautiousUntilMs(): number {
    return this.#lost.signal.aborted
      ? this.#options.clock.monotonic() + this.#options.leaseMs
      : this.#cautiousUntilMs
  }

  /**
   * Decided by this machine's clocks, from the moment at which the last renewal was asked for: a process that
   * was frozen knows when it wakes, before it hears from Redis.
   */
  get isHeld(): boolean {
    if (this.#isOver) return false
    const { clock, leaseMs } = this.#options
    const usableMs = leaseMs * (1 - marginShare)
    const { monotonicMs, nowMs } = this.#begun
    // The monotonic clock may rest while the machine sleeps, and the other one may be set back.
    return clock.monotonic() - monotonicMs < usableMs && clock.now() - nowMs < usableMs
  }

  whenHeld(): Promise<void> | undefined {
    return this.isHeld ? undefined : this.#renewed.wait()
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** The leader's lease, if this copy leads. */
  get leading(): ClusterLease | undefined {
    return this.#leading
  }

  get group(): Group {
    return this.#group
  }

  /** Partitions that this copy owns. */
  get partitions(): Iterable<OwnedPartition> {
    return this.#owned.values()
  }

  /** What every write of this copy checks: the token keys, and what they must contain. */
  get fence(): ReadonlyMap<string, string> {
    const leases = [...(this.#leading === undefined ? [] : [this.#leading]), ...this.#owned.values()]
    return new Map(leases.map(({ key, token }) => [this.#options.keys.token(key), token]))
  }

  owns(partition: number): boolean {
    return this.#owned.has(partition)
  }

  /** Number of partitions above this copy's share, which it should give back. */
  get surplus(): number {
    const { copies } = this.#group
    if (copies === 0 || this.#mode !== 'work') return 0
    return Math.max(0, this.#owned.size - Math.ceil(this.#options.partitions / copies))
  }

  /** Resolves when something has changed: partitions, the leader, or what copies report. */
  changed(): Promise<void> {
    return this.#changed.wait()
  }

  /** Joins the cluster. @throws StateError if Redis does not answer, or the cluster is another one. */
  async join(): Promise<void> {
    await this.#beat(true)
  }

  /** From now on, this copy takes its share of the partitions. */
  work(): void {
    this.#mode = 'work'
  }

  /** From now on, this copy leads if nobody else does. */
  stand(): void {
    this.#mayLead = true
  }

  /** From now on, this copy takes nothing new, and tells the others that it is about to go. */
  retire(): void {
    this.#mode = 'leave'
    this.#mayLead = false
  }

  /** Sends heartbeats until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, leaseMs } = this.#options
    const everyMs = leaseMs / beatsPerLease
    const beat = async () => {
      this.#soonestEndMs = Number.POSITIVE_INFINITY
      await this.beat()
      // What another copy does not renew is taken as soon as it is free.
      return Math.min(everyMs, this.#soonestEndMs + 1)
    }
    return repeatUntilAborted(beat, { clock, everyMs, signal, isAtOnce: true })
  }

  /** Sends a heartbeat now. Never throws. */
  async beat(): Promise<void> {
    if (this.#isOver) return
    this.#beating ??= this.#tryToBeat().finally(() => {
      this.#beating = undefined
    })
    await this.#beating
  }

  /** Gives a partition back. Nothing of it may be under way. */
  async giveBack(partition: number): Promise<void> {
    // A heartbeat that is under way still renews it.
    await this.#beating
    const owned = this.#owned.get(partition)
    if (owned === undefined) return
    this.#owned.delete(partition)
    await this.#release(owned, String(partition))
  }

  /** Gives everything back. Nothing may be under way. */
  async leave(): Promise<void> {
    this.retire()
    await this.beat()
    this.#isOver = true
    const owned = [...this.#owned.values()]
    const leading = this.#leading
    this.#owned.clear()
    this.#leading = undefined
    for (const each of owned) await this.#release(each, String(each.partition))
    if (leading !== undefined) await this.#release(leading, 'leader')
  }

  /** Others may have taken over what this copy held: it must start over. */
  lose(reason: StateError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#lost.abort(reason)
    this.#changed.notifyAll()
  }

  async #release({ key, token }: ClusterLease, name: string): Promise<void> {
    const { connection, keys } = this.#options
    await connection.run('writing', release, [key, keys.token(key), keys.tenures], [token, name])
  }

  async #tryToBeat(): Promise<void> {
    const { logger } = this.#options
    try {
      await this.#beat(false)
      if (this.#isFailing) logger.info('Redis answers again; work continues')
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing)
        logger.warn('Redis does not answer; nothing new is started until it does', {
          error: describeError(error),
        })
      this.#isFailing = true
    }
  }

  async #beat(isJoining: boolean): Promise<void> {
    const { clock, connection, keys, name, leaseMs, partitions, report } = this.#options
    const begun = { monotonicMs: clock.monotonic(), nowMs: clock.now() }
    const isAnother = !connection.isConnected || connection.connectionCount !== this.#connectionCount
    if (isAnother && !isJoining) this.#cautiousUntilMs = begun.monotonicMs + leaseMs
    this.#connectionCount = connection.connectionCount
    const isCautious = begun.monotonicMs < this.#cautiousUntilMs
    const own = [...this.#owned.values()].flatMap(({ partition, token }) => [String(partition), token])
    const owners = Array.from({ length: partitions }, (_, partition) => keys.owner(partition))
    const leases = [keys.leader, ...owners].flatMap((key) => [key, keys.token(key)])
    const answer = await connection.run(
      'writing',
      heartbeat,
      [keys.agreement, keys.copies, keys.reports, keys.tenures, ...leases],
      [
        name,
        String(leaseMs),
        report(),
        isJoining ? '' : this.#generation,
        String(partitions),
        this.#mayLead && !isCautious ? 'lead' : 'follow',
        this.#mode === 'work' && isCautious ? 'wait' : this.#mode,
        this.#leading?.token ?? '',
        ...own,
      ],
      leaseMs / 2,
    )
    this.#take(answer as HeartbeatAnswer, begun)
  }

  #take(answer: HeartbeatAnswer, begun: { readonly monotonicMs: number; readonly nowMs: number }): void {
    const { keys, partitions } = this.#options
    if (this.#isOver) return
    if (answer[0] === 'partitions') {
      throw new StateError(
        'STATE_FOREIGN',
        `The cluster has ${answer[1]} partitions, and CONNECTOR_CLUSTER_PARTITIONS (connector.cluster_partitions) asks for ${partitions}. Set it to ${answer[1]}: the number is fixed when a cluster is created.`,
      )
    }
    if (answer[0] === 'over') {
      this.lose(
        new StateError(
          'STATE_LOST',
          'Another copy of this connector may have taken over what this copy held: it was frozen or cut off for longer than its lease, or everything starts anew. It starts over.',
        ),
      )
      return
    }
    const [, generation, , , token, , taken, , soonestEndMs] = answer
    this.#generation = generation
    if (soonestEndMs >= 0) this.#soonestEndMs = soonestEndMs
    for (let index = 0; index < taken.length; index += 3) {
      const [partition, own, since] = [Number(taken[index]), taken[index + 1]!, taken[index + 2]!]
      const cutOffSinceMs = since === '' ? undefined : Number(since)
      this.#owned.set(partition, { partition, key: keys.owner(partition), token: own, cutOffSinceMs })
    }
    if (token !== '' && this.#leading === undefined) this.#leading = { key: keys.leader, token }
    this.#group = groupOf(answer)
    this.#begun = begun
    this.#changed.notifyAll()
    this.#renewed.notifyAll()
  }
}

export interface MembershipOptions {
  /** Used for nothing else, so that nothing large is ahead of a heartbeat. */
  readonly connection: RedisConnection
  readonly keys: ClusterKeys
  /** Name of this copy; unique. */
  readonly name: string
  readonly partitions: number
  /** How long a copy that is not heard of keeps what it has, in milliseconds. */
  readonly leaseMs: number
  /** {@link Membership.cautiousUntilMs} of the one before in this process; `-Infinity` if it is the first. */
  readonly cautiousUntilMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** What the others see of this copy. */
  readonly report: () => string
}
