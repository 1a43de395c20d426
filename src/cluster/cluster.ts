import { randomUUID } from 'node:crypto'
import { StateError } from '../errors/state-error.ts'
import { type CommitPart } from '../checkpoint/commit-part.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { RedisStore } from '../redis/redis-store.ts'
import { copyName } from '../store/copy-name.ts'
import { type StateChanges, type StateOpening, type StateOpenOptions } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { ClusterCopy, type ClusterStages } from './cluster-copy.ts'
import { type ClusterFacts, type CopyReport } from '../observe/facts/cluster-facts.ts'
import { clusterFacts } from './cluster-facts.ts'
import { ClusterTenure } from './cluster-tenure.ts'
import { type ConnectorCluster } from './connector-cluster.ts'

/** Values of the state that only the copy that reads the stream knows and writes. */
const ofLeader: ReadonlySet<string> = new Set([
  storedValues.state,
  storedValues.pushed,
  storedValues.idMap,
  storedValues.catchUp,
  storedValues.voidPosition,
])

/**
 * Values that each process would keep for itself. What was cut off is known by partition; a run of refusals is
 * forgotten with the copy that saw it.
 */
const ofNobody: ReadonlySet<string> = new Set([storedValues.runningSince, storedValues.refusedRuns])

/**
 * The cluster of a connector, with its state in the same Redis. Opening the state joins the cluster: that waits
 * until this copy leads, or another one has determined where to read.
 *
 * What ends in this copy leaves its partition with the commit that saves what it led to.
 */
export class Cluster extends RedisStore implements ConnectorCluster {
  readonly hasOtherWriters = true
  readonly commitDelayMs = 20
  readonly part: CommitPart = {
    values: () => {
      this.#tenure?.ended.save()
      return nothing
    },
  }
  readonly #options: ClusterOptions
  readonly #name: string
  #tenure: ClusterTenure | undefined
  #copy: ClusterCopy | undefined
  #report: (() => CopyReport) | undefined

  constructor(options: ClusterOptions) {
    const { url, leaseMs, clock } = options
    super({
      url,
      leaseMs,
      clock,
      setting,
      lease: {
        get isHeld() {
          return tenure().membership.isHeld
        },
        whenHeld: () => tenure().membership.whenHeld(),
        get lost() {
          return tenure().membership.lost
        },
        get fence() {
          return tenure().membership.fence
        },
        lose: (reason) => tenure().membership.lose(reason),
      },
    })
    const tenure = () => this.#tenure!
    this.#options = options
    // Process ids are the same in all containers, and in all lives of one.
    this.#name = `${randomUUID()} ${copyName()}`
  }

  override async open(owner: string, options: StateOpenOptions = {}): Promise<StateOpening> {
    const tenure = (this.#tenure = new ClusterTenure(owner, {
      ...this.#options,
      cautiousUntilMs: this.#tenure?.membership.cautiousUntilMs ?? Number.NEGATIVE_INFINITY,
      setting,
      name: this.#name,
      report: () => JSON.stringify(this.#report?.() ?? {}),
    }))
    try {
      await tenure.join(options)
      return await super.open(owner, options)
    } catch (error) {
      await tenure.end()
      throw error
    }
  }

  override async commit(changes: StateChanges): Promise<void> {
    const tenure = this.#tenure!
    const isLeader = tenure.membership.leading !== undefined
    const values = new Map(changes.values)
    for (const name of values.keys())
      if (ofNobody.has(name) || (!isLeader && ofLeader.has(name))) values.delete(name)
    const departure = tenure.ended.depart()
    try {
      await super.commit({ ...changes, values }, departure.commands)
    } catch (error) {
      departure.notSaved()
      throw error
    }
    departure.saved()
  }

  override async value(name: string): Promise<string | undefined> {
    return ofNobody.has(name) ? undefined : super.value(name)
  }

  override async close(): Promise<void> {
    const tenure = this.#tenure
    await super.close()
    await tenure?.end()
    this.#copy = undefined
  }

  owns(key: string): boolean {
    return this.#copy?.owns(key) === true
  }

  async begin(stages: ClusterStages, signal: AbortSignal, onFailure: (error: Error) => void): Promise<void> {
    const tenure = this.#tenure!
    const copy = (this.#copy = new ClusterCopy(tenure, stages))
    this.#report = () => copy.report()
    await copy.begin(AbortSignal.any([signal, tenure.membership.lost]), onFailure)
  }

  startOver(): void {
    const reason =
      'Someone moved or reset the connector on the platform. This copy starts over, and the others follow.'
    this.#tenure?.membership.lose(new StateError('STATE_LOST', reason))
  }

  async finish(): Promise<void> {
    await this.#copy?.finish()
  }

  facts(): ClusterFacts | undefined {
    const tenure = this.#tenure
    return tenure === undefined
      ? undefined
      : clusterFacts(tenure.membership, this.#name, this.#options.partitions)
  }
}

const setting = 'CONNECTOR_CLUSTER_URL'

const nothing: ReadonlyMap<string, string> = new Map()

/** Options of a {@link Cluster}. */
export interface ClusterOptions {
  /** `redis[s]://[user[:password]@]host[:port][/database]`; `rediss` is TLS. */
  readonly url: string
  /** Number of partitions, fixed when the cluster is created. */
  readonly partitions: number
  /** Time without a sign of life after which another copy takes over, in milliseconds. */
  readonly leaseMs: number
  readonly clock: Clock
  readonly logger: Logger
}
