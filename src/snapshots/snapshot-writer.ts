import { type ConnectorHooks } from '../contract/hooks.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { type SnapshotContext } from '../contract/snapshot.ts'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { judge, type Verdict } from '../errors/verdict.ts'
import { type EventCounters } from '../events/event-counters.ts'
import { type ItemList, type ListDigest } from '../items/item-list.ts'
import { type ResolvedSnapshotOptions } from '../settings/schemas/delivery-options.ts'
import { type LeaseGuard } from '../store/lease-guard.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type Logger } from '../util/logger.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type Redactor } from '../util/redactor.ts'
import { type ListFiles } from './list-files.ts'
import { type SnapshotRecord } from './snapshot-record.ts'
import { type Snapshots } from './snapshots.ts'

/** Number of items that may always disappear at once. */
const alwaysAllowed = 10

/** Maximum sleep, in milliseconds: consent comes from another process, and the wall clock can jump. */
const maxSleepMs = 1000

const retryBounds = { baseMs: 1000, maxMs: 300_000 }
const jobPollMs = 5000

/**
 * Passes the whole list of a route to the target: soon after a change, no more often than allowed, and never
 * while the list is known to be incomplete. Until the target has taken the list, its events count as in
 * flight.
 */
export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions
  #wake: (() => void) | undefined
  #record: SnapshotRecord = { isDirty: false }
  /** A claim has changed since the current list was started. */
  #hasChanged = false
  #covered = 0
  #failures = 0
  #problem: string | undefined
  #writing: Promise<void> | undefined

  constructor(options: SnapshotWriterOptions) {
    this.#options = options
  }

  /** What is stored in the state. */
  get record(): SnapshotRecord {
    return this.#record
  }

  /** Why the target does not have the current list; undefined if nothing is wrong. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** How many listed events had come when the target's list was started. */
  get coveredEvents(): number {
    return this.#covered
  }

  /** Continues from what an earlier process left. */
  resume(record: SnapshotRecord): void {
    this.#record = record
  }

  /** A claim has changed. */
  change(): void {
    this.#hasChanged = true
    if (this.#record.isDirty) return
    this.#record = { ...this.#record, isDirty: true }
    this.#wake?.()
  }

  /** Writes the list whenever necessary, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = this.#waitMs
      const pauseMs = waitMs > 0 ? waitMs : await this.#tryToWrite(signal)
      if (pauseMs > 0) await this.#sleep(pauseMs, waitMs > 0, signal)
    }
  }

  /** Writes the list if something has changed, however recent the last one is. @returns why that failed. */
  async writeNow(signal: AbortSignal): Promise<string | undefined> {
    if (this.#record.isDirty) await this.#tryToWrite(signal)
    return this.#record.isDirty ? this.#problem : undefined
  }

  /** Milliseconds until there is something to do. */
  get #waitMs(): number {
    const { clock, snapshot, progress } = this.#options
    const { job, takenAtMs, isDirty } = this.#record
    if (job !== undefined) return 0
    // During a catch-up, the list lacks what has not been sent yet.
    if (progress.safe === undefined || progress.isCatchingUp || progress.isRebuilding) return maxSleepMs
    if (takenAtMs === undefined) return isDirty ? 0 : maxSleepMs
    const sinceMs = Math.max(0, clock.now() - takenAtMs)
    if (isDirty) return Math.max(0, snapshot.minIntervalMs - sinceMs)
    const { maxIntervalMs } = snapshot
    return maxIntervalMs === undefined ? maxSleepMs : Math.max(0, maxIntervalMs - sinceMs)
  }

  /** @param mayWake whether a change ends the sleep. */
  async #sleep(pauseMs: number, mayWake: boolean, signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    this.#wake = mayWake ? () => woken.abort() : undefined
    const sleepMs = mayWake ? Math.min(pauseMs, maxSleepMs) : pauseMs
    await delay(this.#options.clock, sleepMs, AbortSignal.any([signal, woken.signal])).catch(() => {})
  }

  /** @returns how long to wait before the next attempt, in milliseconds. */
  async #tryToWrite(signal: AbortSignal): Promise<number> {
    try {
      this.#writing ??= this.#write(signal).finally(() => (this.#writing = undefined))
      await this.#writing
      return 0
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(error)
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { checkpointer, list, counters, routeCounters, clock, logger } = this.#options
    const startedMs = clock.monotonic()
    const { isDirty } = this.#record
    const events = counters.listed
    const ofRoute = routeCounters?.listed ?? 0
    let { job } = this.#record
    let isSame = false
    if (job === undefined) {
      // Anything claimed from here on belongs to the next list.
      this.#hasChanged = false
      await checkpointer.flush()
      const digest = await list.digest(signal)
      isSame = isDirty && digest.sha256 === this.#record.sha256
      if (!isSame) await this.#requireAllowed(digest)
      const id = isSame ? undefined : await this.#replaceAll(digest, signal)
      job = { id, ...digest }
      if (id !== undefined) {
        this.#record = { ...this.#record, job }
        checkpointer.touch()
        await checkpointer.flush()
      }
    }
    if (job.id !== undefined) await this.#awaitJob(job.id, signal)
    this.#taken(job)
    this.#covered = events
    routeCounters?.deliverListed(ofRoute)
    this.#options.snapshots.taken()
    logger.info(
      isSame ? 'The list is unchanged; the target already has it' : 'The target accepted the list',
      {
        items: job.count,
        duration_ms: Math.round(clock.monotonic() - startedMs),
        ...this.#named,
      },
    )
    await checkpointer.flush()
  }

  /** @returns the id of the target's job; undefined if it has taken the list. */
  async #replaceAll(digest: ListDigest, signal: AbortSignal): Promise<string | undefined> {
    const { hooks, list, logger, route, files, lease } = this.#options
    let isWhole = false
    const items = {
      async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
        for await (const text of list.texts(signal)) yield JSON.parse(text)
        isWhole = true
      },
    }
    await files?.write(items, route, signal)
    if (hooks.replaceAll === undefined) return undefined
    isWhole = false
    const context: SnapshotContext = { ...digest, route, signal, logger }
    // A hook may ignore the signal.
    const answer = await raceWithSignal(signal, async () => {
      await lease?.whenHeld()
      return hooks.replaceAll!(items, context)
    })
    if (!isWhole)
      throw new StreamConnectorError(
        'HOOK_RESULT',
        'replaceAll() returned before it had read all items, so the target cannot have them. Read the items to the end, or throw an error.',
      )
    return answer?.job
  }

  async #awaitJob(id: string, signal: AbortSignal): Promise<void> {
    const { hooks, clock } = this.#options
    if (hooks.jobDone === undefined)
      throw new StreamConnectorError(
        'HOOK_MISSING',
        'replaceAll() returned a job, but the connector has no jobDone() hook, which asks the target about it. Write one.',
      )
    try {
      while (!(await raceWithSignal(signal, async () => hooks.jobDone!(id, signal))))
        await delay(clock, jobPollMs, signal)
    } catch (error) {
      // Being unable to ask the target now says nothing about the job.
      if (!signal.aborted && this.#judge(error).kind === 'reject') {
        const { job: _, ...record } = this.#record
        this.#record = { ...record, isDirty: true }
      }
      throw error
    }
  }

  #taken({ count, sha256 }: ListDigest): void {
    const { clock, checkpointer, onNotice, route } = this.#options
    const { job: _, ...record } = this.#record
    this.#record = { ...record, isDirty: this.#hasChanged, count, sha256, takenAtMs: clock.now() }
    checkpointer.touch()
    if (this.#problem !== undefined) onNotice({ kind: 'snapshot-restored', route })
    this.#problem = undefined
    this.#failures = 0
  }

  /** @throws StreamConnectorError `SNAPSHOT_REFUSED` if the list has shrunk so much that a person must agree. */
  async #requireAllowed({ count }: ListDigest): Promise<void> {
    const { snapshot, snapshots, route } = this.#options
    const { count: before = 0 } = this.#record
    const gone = before - count
    if (gone <= alwaysAllowed || gone <= (before * snapshot.maxShrinkPercent) / 100) return
    if (await snapshots.takeConsent(route)) return
    throw new StreamConnectorError(
      'SNAPSHOT_REFUSED',
      `The list would shrink from ${before} to ${count} items, by more than ${snapshot.maxShrinkPercent} percent (CONNECTOR_SNAPSHOT_MAX_SHRINK). The target keeps its current list. If the shorter list is correct, run "opencti-stream snapshot allow".`,
    )
  }

  /** @returns how long to wait before the next attempt, in milliseconds. */
  #failed(error: unknown): number {
    const { random, onNotice, onStop, route, redactor } = this.#options
    const verdict = this.#judge(error)
    if (verdict.kind === 'stop') onStop(verdict)
    const problem = redactor.clean(verdict.reason)
    if (this.#problem !== problem) onNotice({ kind: 'snapshot-failed', reason: problem, route })
    this.#problem = problem
    // Checking for consent is cheap.
    if (verdict.facts.code === 'SNAPSHOT_REFUSED') return maxSleepMs
    return Math.max(1, verdict.facts.retryAfterMs ?? backoffMs(++this.#failures, retryBounds, random))
  }

  #judge(error: unknown): Verdict {
    return judge(error, true, this.#options.clock.now())
  }

  get #named(): { readonly route?: string } {
    const { route } = this.#options
    return route === undefined ? {} : { route }
  }
}

export interface SnapshotWriterOptions {
  readonly hooks: Pick<ConnectorHooks, 'replaceAll' | 'jobDone'>
  /** Lists to write to files. @default none */
  readonly files: ListFiles | undefined
  readonly list: ItemList
  /** `replaceAll` is called only while it is held. @default none */
  readonly lease?: Pick<LeaseGuard, 'whenHeld'> | undefined
  readonly snapshot: ResolvedSnapshotOptions
  readonly route: string | undefined
  /** Of all events, and of those of the route. */
  readonly counters: EventCounters
  readonly routeCounters: EventCounters | undefined
  readonly checkpointer: { flush(): Promise<void>; touch(): void }
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly redactor: Pick<Redactor, 'clean'>
  /** Whether everything on the platform is claimed. */
  readonly progress: {
    readonly safe: object | undefined
    readonly isCatchingUp: boolean
    readonly isRebuilding: boolean
  }
  /** Notified when the target has taken the list; knows whether a person agrees to a much shorter one. */
  readonly snapshots: Pick<Snapshots, 'taken' | 'takeConsent'>
  readonly onNotice: (notice: ConnectorNotice) => void
  readonly onStop: (verdict: Verdict) => void
}
