import { StateError } from '../errors/state-error.ts'
import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type RedisScript } from '../redis/redis-script.ts'
import { type EventCounts } from '../events/event-counters.ts'
import { type Bound, type InFlightBounds } from '../flow/in-flight-limit.ts'
import { type TargetLimits } from '../flow/target-limits.ts'
import { type CopyReport } from '../observe/facts/cluster-facts.ts'
import { type EventRelay, type Pipeline } from '../intake/pipeline.ts'
import { keepTrying } from '../session/keep-trying.ts'
import { type Progress } from '../session/progress.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { parsedJson } from '../util/json-text.ts'
import { type Logger } from '../util/logger.ts'
import { formatPosition, parsePosition } from '../util/position.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type ClusterTenure } from './cluster-tenure.ts'
import { readReport } from './copy-report.ts'
import { PartitionReader } from './partition-reader.ts'
import { anotherLeads, Publisher } from './publisher.ts'
import { discard, ready, sweep } from './scripts.ts'

/** Interval for checking whether discarded partitions were given back, in milliseconds. */
const sweepEveryMs = 100

/**
 * The work of a copy: on the partitions that it owns, and on the stream while it leads. A copy begins with the
 * partitions once a leader has determined where to read, because only then is it known what the target has.
 */
export class ClusterCopy {
  readonly #tenure: ClusterTenure
  readonly #stages: ClusterStages
  readonly #reader: PartitionReader
  #publisher: Publisher | undefined
  #working: Promise<void> | undefined

  constructor(tenure: ClusterTenure, stages: ClusterStages) {
    this.#tenure = tenure
    this.#stages = stages
    const { checkpointer, progress, uncleanShutdown, engine } = stages
    this.#reader = new PartitionReader({
      ...stages,
      ...tenure,
      hasWork: (concerns) => engine.isAbout(concerns),
      flush: () => checkpointer.flush(),
      onTaken: async (cutOffSinceMs) => {
        if (cutOffSinceMs !== undefined) uncleanShutdown.takeOver(cutOffSinceMs)
        await checkpointer.open()
      },
      onNewLeader: () => checkpointer.open(),
      onNewest: (newest) => progress.follow({ newest }),
    })
  }

  /** What the others see of this copy. */
  report(): CopyReport {
    const { counts, outage, progress, limits } = this.#stages
    const { received, delivered, skipped, deadLettered, inFlight } = counts()
    const { membership } = this.#tenure
    const safe = membership.leading === undefined ? undefined : progress.safe
    return {
      received,
      delivered,
      skipped,
      deadLettered,
      inFlight,
      partitions: [...membership.partitions].map(({ partition }) => partition),
      outage: outage(),
      pauses: Object.fromEntries(limits.askedPauses),
      unfinished: this.#publisher?.unfinished,
      safe: safe === undefined ? undefined : formatPosition(safe),
    }
  }

  /** Whether work on an entity may begin here. @param key its key, without a route. */
  owns(key: string): boolean {
    return this.#reader.owns(key)
  }

  /**
   * Begins to work, and to lead if this copy does. Goes on until `signal` aborts.
   *
   * @param onFailure called if this copy cannot read the stream, for a person.
   * @throws the same, if it leads from the start.
   */
  async begin(signal: AbortSignal, onFailure: (error: Error) => void): Promise<void> {
    // The others may have its share as soon as it is free.
    signal.addEventListener('abort', () => this.#tenure.membership.retire(), { once: true })
    await this.#look(signal)
    void this.#watch(signal).catch((error: unknown) => {
      if (!signal.aborted) onFailure(error as Error)
    })
  }

  /** Gives back the partitions whose work is done and saved. The others count as cut off. */
  async finish(): Promise<void> {
    await this.#working
    await this.#reader.giveBackAll()
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { membership } = this.#tenure
    while (!signal.aborted) {
      await raceWithSignal(signal, () => membership.changed())
      await this.#look(signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { membership } = this.#tenure
    if (membership.leading !== undefined && this.#publisher === undefined) await this.#lead(signal)
    const { leader, ready: told, reports } = membership.group
    const safe = leader === undefined ? undefined : readReport(reports.get(leader) ?? '')?.safe
    if (safe !== undefined) this.#stages.progress.follow({ safe: parsePosition(safe) })
    this.#shareLimits()
    if (told === undefined || this.#working !== undefined) return
    if (this.#publisher === undefined)
      this.#stages.progress.mapIsComplete =
        (parsedJson(told) as { mapIsComplete?: unknown }).mapIsComplete === true
    membership.work()
    this.#working = this.#reader.run(signal)
    void membership.beat()
  }

  /**
   * Each copy uses as much of the rate limits as it owns of the partitions: together never more than allowed,
   * without asking anybody. All rest when the target has asked one of them to.
   */
  #shareLimits(): void {
    const { membership, partitions, name } = this.#tenure
    const { limits } = this.#stages
    const owned = [...membership.partitions].length
    limits.share(Math.max(1, owned) / partitions)
    for (const [copy, text] of membership.group.reports) {
      if (copy === name) continue
      for (const [route, forMs] of Object.entries(readReport(text)?.pauses ?? {}))
        limits.pauseToo(route, forMs)
    }
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { connection, keys, membership, partitions } = this.#tenure
    const { bounds, listenDelete, progress, clock, logger } = this.#stages
    await this.#patiently(() => this.#sweep(signal), signal)
    const publisher = (this.#publisher = new Publisher({
      connection,
      tail: this.#tenure.leaderTail(),
      keys,
      membership,
      partitions,
      bounds,
      listenDelete,
      newest: () => {
        const { newestTold } = progress
        return newestTold === undefined ? undefined : formatPosition(newestTold)
      },
      clock,
      logger,
      signal,
    }))
    await this.#patiently(() => publisher.open(), signal)
    const mayBeWorking = membership.group.ready !== undefined || publisher.unfinished > 0
    await this.#stages.prepare(signal, mayBeWorking ? () => this.#discard() : undefined)
    const told = JSON.stringify({ mapIsComplete: progress.mapIsComplete })
    await this.#asLeader(ready, [told], signal)
    void publisher.run(signal)
    await membership.beat()
    this.#stages.read(publisher, publisher)
  }

  /** Reading starts anew: nothing that is under way counts anymore. */
  async #discard(): Promise<never> {
    const { membership } = this.#tenure
    await this.#asLeader(discard, [], membership.lost)
    const reason = new StateError(
      'STATE_LOST',
      'The connector starts anew, because someone moved or reset it. All copies drop what they have, and start over.',
    )
    membership.lose(reason)
    throw reason
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { connection, keys, membership, partitions } = this.#tenure
    const places = Array.from({ length: partitions }, (_, partition) => {
      const owner = keys.owner(partition)
      return [owner, keys.token(owner), keys.entries(partition)]
    }).flat()
    const all = [this.#tokenKey, keys.agreement, keys.ended, ...places]
    for (;;) {
      const answer = await connection.run('writing', sweep, all, [this.#token])
      if (answer === 'done') return
      if (answer === 'over') membership.lose(new StateError('STATE_LOST', anotherLeads))
      await delay(this.#stages.clock, sweepEveryMs, signal)
    }
  }

  /** Changes what all copies agree on. */
  async #asLeader(script: RedisScript, args: readonly string[], signal: AbortSignal): Promise<void> {
    const { connection, keys, membership } = this.#tenure
    const change = () =>
      connection.run('writing', script, [this.#tokenKey, keys.agreement], [this.#token, ...args])
    if ((await this.#patiently(change, signal)) === 1) return
    const reason = new StateError('STATE_LOST', anotherLeads)
    membership.lose(reason)
    throw reason
  }

  #patiently<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const isTrouble = ({ code }: StreamConnectorError) =>
      code === 'STATE_UNREADABLE' || code === 'STATE_NOT_WRITTEN'
    return keepTrying(call, 'Redis does not answer', this.#stages, signal, isTrouble)
  }

  get #tokenKey(): string {
    return this.#tenure.keys.token(this.#tenure.keys.leader)
  }

  get #token(): string {
    return this.#tenure.membership.leading!.token
  }
}

/** What a connector does on the orders of its cluster. */
export interface ClusterStages {
  readonly pipeline: Pick<Pipeline, 'accept'>
  /** Limits how many events this copy may take in. */
  readonly room: Bound
  readonly engine: { isAbout(concerns: (entityKey: string) => boolean): boolean }
  readonly checkpointer: { flush(): Promise<void>; open(): Promise<void> }
  readonly progress: Progress
  readonly uncleanShutdown: { takeOver(sinceMs: number): void }
  /** Limits of what is unfinished in all partitions together. */
  readonly bounds: InFlightBounds
  readonly listenDelete: boolean
  readonly counts: () => EventCounts
  /** The limits of all copies together. */
  readonly limits: TargetLimits
  /** Why the target only gets probes; undefined if it gets everything. */
  readonly outage: () => string | undefined
  /**
   * Determines where to read.
   *
   * @param beforeAnew called before positions are forgotten, because reading starts anew. It does not return.
   */
  readonly prepare: (signal: AbortSignal, beforeAnew: (() => Promise<never>) | undefined) => Promise<void>
  /** Begins to read, and hands the events over. */
  readonly read: (relay: EventRelay, room: Bound) => void
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}
