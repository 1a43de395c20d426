import { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { CountedPlatform } from '../observe/facts/counted-platform.ts'
import { scrubbed, scrubError } from '../observe/log/scrub.ts'
import { type OwnMetrics } from '../observe/metrics/own-metrics.ts'
import { Observation } from '../observe/observation.ts'
import { createPlatformHttp } from '../opencti/http.ts'
import { PlatformKnowledge } from '../lookups/platform-knowledge.ts'
import { requireStreamId } from '../opencti/stream-check.ts'
import { systemClock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { connectorFacts } from './connector-facts.ts'
import { connectorStatus, type ConnectorStatus } from '../observe/connector-status.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type ReconcileOptions, type ReconcileReport } from '../contract/reconcile-report.ts'
import { HookRequests } from '../target/hook-call.ts'
import { finishWork } from './finish-work.ts'
import { type GivenMessages } from './given-messages.ts'
import { Lifecycle } from './lifecycle.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { wordsOfNotice } from '../observe/notices/words-of-notice.ts'
import { LazyLookups } from '../session/lazy-lookups.ts'
import { platformHttpOptions } from '../session/platform-http-options.ts'
import { statusDetails } from './status-details.ts'
import { type StreamReading } from './stream-reading.ts'
import { lastPingMs, lastStepsMs, StopSteps } from './stop-steps.ts'
import { summarize } from './summarize.ts'
import { Tenure } from './tenure.ts'

/** Pause before a connector starts over because the server of its state failed, in milliseconds. */
const startOverMs = 1000

/** One connector from start to stop: its endpoints, its turns of leading, and how it ends. */
export class Runtime {
  readonly #options: RuntimeOptions
  readonly #lifecycle: Lifecycle
  readonly #ownUser: OwnUser = {}
  #present: Tenure | undefined
  /** Leaving one tenure, and waiting for the next. */
  #changing: Promise<void> | undefined
  readonly #http: KyInstance
  readonly #platform: CountedPlatform
  /** Platform lookups for hooks. */
  readonly lookups: LazyLookups
  readonly #observation: Observation
  /** Aborts when the connector begins to stop. */
  readonly #stopping = new AbortController()
  /** Aborts when it abandons work in flight. */
  readonly #givenUp = new AbortController()
  readonly #finished = Promise.withResolvers<void>()
  #stopped: Promise<void> | undefined
  #failure: Error | undefined

  constructor(given: RuntimeOptions) {
    const onNotice = (notice: ConnectorNotice) => {
      const { error } = wordsOfNotice(notice)
      if (error !== undefined) this.#observation.errors.note(error)
      given.onNotice(notice)
    }
    const options = { ...given, onNotice }
    this.#options = options
    const { loaded, clock, logger, store } = options
    this.#lifecycle = new Lifecycle((state) => onNotice({ kind: 'state', state }))
    this.#http = createPlatformHttp(platformHttpOptions(loaded.settings.opencti))
    this.#platform = new CountedPlatform(this.#http, loaded.settings.opencti.url)
    this.lookups = new LazyLookups({ ...options, http: this.#http, stopped: this.#givenUp.signal })
    this.#observation = new Observation({
      settings: loaded.settings.connector,
      health: loaded.delivery.health,
      clock,
      logger,
      redactor: options.redactor,
      lists: options.files?.served,
      facts: () => connectorFacts(this.#tenure),
      calls: HookRequests,
      status: () => ({ ...this.status() }),
      details: () => statusDetails(this.#tenure.assembly, store, clock, options.redactor),
    })
  }

  /** Built on first use: hooks can be class fields, which exist only after the constructor. */
  get #tenure(): Tenure {
    return (this.#present ??= new Tenure({
      ...this.#options,
      lifecycle: this.#lifecycle,
      observation: this.#observation,
      http: this.#http,
      platform: this.#platform,
      lookups: this.lookups,
      knowledge: new PlatformKnowledge(this.#http, this.#options.loaded.settings.opencti.url),
      ownUser: this.#ownUser,
      stopping: this.#stopping.signal,
      givenUp: this.#givenUp.signal,
      onStop: (verdict) => {
        this.#failure ??= new StreamConnectorError('STOP', this.#options.redactor.clean(verdict.reason))
        void this.stop()
      },
      onFailure: (error) => void this.#fail(error),
    }))
  }

  /** Delivers messages that are handed in. */
  get messages(): GivenMessages {
    return this.#tenure.messages
  }

  /** Reads the live stream. */
  get reading(): StreamReading {
    return this.#tenure.reading
  }

  /** The author's metrics. */
  get metrics(): OwnMetrics {
    return this.#observation.own
  }

  /** Aborts when work in flight is abandoned. */
  get givenUp(): AbortSignal {
    return this.#givenUp.signal
  }

  status(): ConnectorStatus {
    const { progress, assembly } = this.#tenure
    const status = connectorStatus(connectorFacts(this.#tenure), {
      position: progress.position,
      reconcile: assembly.reconcile.last,
      endpoints: this.#observation.addresses,
    })
    return scrubbed(status, this.#options.redactor)
  }

  /** Compares target, id map, and platform, and repairs; rejects if that could not be completed. */
  reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
    if (this.#options.cluster !== undefined) return Promise.reject(noComparison())
    return this.#tenure.assembly.reconcile.now(options, this.#stopping.signal).catch((error: unknown) => {
      scrubError(error, this.#options.redactor)
      throw error
    })
  }

  /** Resolves once the stream is being read; rejects if that is impossible. */
  async start(): Promise<void> {
    this.#lifecycle.move('starting')
    try {
      await this.#start(this.#stopping.signal)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      await this.#fail(error)
      throw error
    }
  }

  /** Resolves when the connector has stopped; rejects if a failure stopped it. */
  get finished(): Promise<void> {
    return this.#finished.promise
  }

  /** Stops reading, lets work finish within the grace period, saves, and sends a last ping. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Abandons work in flight immediately. */
  abandon(): void {
    this.#givenUp.abort(
      new StreamConnectorError('LIFECYCLE', 'The connector is stopping and abandons the work in flight.'),
    )
  }

  /** Reports an unhandled error. @param isGoingOn whether the connector continues. */
  noteUnhandled(error: unknown, isGoingOn: boolean): void {
    const running = this.#tenure.assembly.engine.running().slice(0, 10)
    this.#options.onNotice({
      kind: 'unhandled-error',
      error: describeError(error),
      stack: error instanceof Error ? String(error.stack) : undefined,
      atWork: running.map(({ kind, entity }) => `${kind} ${entity.id}`),
      isGoingOn,
    })
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { loaded, logger, folderNote } = this.#options
    const { connector } = loaded.settings
    requireStreamId(connector.live_stream_id)
    logger.info('Settings loaded', { settings: loaded.source, connector_id: connector.id })
    for (const nearMiss of loaded.nearMisses) logger.warn(nearMiss)
    // Errors, so that they show at the default log level: nothing else explains why nothing is delivered.
    for (const deadFilter of loaded.deadFilters) logger.error(deadFilter)
    if (folderNote !== undefined) logger[folderNote.isGrave ? 'error' : 'warn'](folderNote.message)
    await this.#observation.open()
    await this.#lead(signal)
    void summarize(() => this.status(), this.#options, signal)
  }

  /** Resolves once the stream is being read, however often another copy is faster. */
  async #lead(signal: AbortSignal): Promise<void> {
    for (;;) {
      const tenure = this.#tenure
      try {
        await tenure.begin()
        void this.#watch(tenure, signal)
        return
      } catch (error) {
        if (signal.aborted || tenure.loss === undefined) throw error
      }
      await this.#leave(tenure, signal)
    }
  }

  /** Starts over when another copy has taken over. */
  async #watch(tenure: Tenure, signal: AbortSignal): Promise<void> {
    await tenure.whenLost
    if (signal.aborted) return
    this.#changing = this.#leave(tenure, signal).then(() => this.#lead(signal))
    try {
      await this.#changing
    } catch (error) {
      if (!signal.aborted) await this.#fail(error)
    }
  }

  async #leave(tenure: Tenure, signal: AbortSignal): Promise<void> {
    const { loaded, logger, onNotice } = this.#options
    const error = tenure.loss as StreamConnectorError
    const isTaken = error.code === 'STATE_LOST'
    if (isTaken) onNotice({ kind: 'lease-lost', error })
    else logger.error('The server of the state failed; starting over', { error: describeError(error) })
    const { state } = this.#lifecycle
    if (!signal.aborted && (state === 'running' || (isTaken && state !== 'standby')))
      this.#lifecycle.move('standby')
    this.#lifecycle.waitFor('its abandoned work to end')
    await tenure.leave(new StopSteps({ graceMs: loaded.delivery.stopGraceMs, clock: systemClock, logger }))
    this.#lifecycle.waitFor(undefined)
    this.#present = undefined
    if (!isTaken) await delay(systemClock, startOverMs, signal)
  }

  async #fail(error: unknown): Promise<void> {
    scrubError(error, this.#options.redactor)
    this.#failure = error as Error
    await this.stop()
  }

  async #stop(): Promise<void> {
    const { loaded, logger, clock } = this.#options
    this.#lifecycle.move('stopping')
    this.#stopping.abort(new StreamConnectorError('LIFECYCLE', 'The connector was asked to stop.'))
    // Whoever waits for the process to end uses the machine's clock.
    const steps = new StopSteps({ graceMs: loaded.delivery.stopGraceMs, clock: systemClock, logger })
    await steps.take('Leaving', () => this.#changing?.catch(() => {}), steps.leftMs(2 * lastStepsMs))
    const tenure = this.#tenure
    const { assembly, reading, messages, session } = tenure
    const closed = reading.close()
    await steps.take('Ending the stream', () => closed, steps.leftMs(2 * lastStepsMs))
    await steps.take('Finishing work', () =>
      finishWork(assembly.engine, {
        hasFailed: this.#failure !== undefined,
        graceMs: steps.workMs,
        clock,
        logger,
        givenUp: tenure.givenUp,
        abandon: () => this.abandon(),
      }),
    )
    assembly.deadLetters.stop()
    // The last ping must not undo a reset that was noticed before.
    await steps.take('Applying the reset', () => reading.untilReset(), steps.leftMs(lastStepsMs))
    reading.ignoreResets()
    if (tenure.loss !== undefined) await assembly.closeResources(steps)
    else {
      await assembly.close(steps, async () => {
        if (assembly.checkpointer.problem === undefined)
          await steps.take('Giving the partitions back', () => this.#options.cluster?.finish())
        if (reading.hasBegun) await session.pingLast(Math.min(lastPingMs, steps.leftMs(lastStepsMs)))
      })
    }
    this.#failure ??= steps.failure
    await this.#observation.close()
    this.#lifecycle.move(this.#failure === undefined ? 'stopped' : 'failed')
    scrubError(this.#failure, this.#options.redactor)
    messages.stop()
    this.#finished.promise.catch(() => {})
    if (this.#failure === undefined) this.#finished.resolve()
    else this.#finished.reject(this.#failure)
  }
}

function noComparison(): StreamConnectorError {
  return new StreamConnectorError(
    'RECONCILE_FAILED',
    'Target and platform cannot be compared while copies share the work (CONNECTOR_CLUSTER_URL): this copy does not see what the others do. Use CONNECTOR_STATE_URL instead, or stop all copies and compare with that.',
  )
}
