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
import { type RuntimeOptions } from './assembly-options.ts'
import { Assembly } from './assembly.ts'
import { connectorFacts, type FactSources } from './connector-facts.ts'
import { connectorStatus, type ConnectorStatus } from '../observe/connector-status.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type ReconcileOptions, type ReconcileReport } from '../contract/reconcile-report.ts'
import { HookRequests } from '../target/hook-call.ts'
import { finishWork } from './finish-work.ts'
import { GivenMessages } from './given-messages.ts'
import { Lifecycle } from './lifecycle.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { wordsOfNotice } from '../observe/notices/words-of-notice.ts'
import { openTarget } from './open-target.ts'
import { LazyLookups } from '../session/lazy-lookups.ts'
import { keepTrying } from '../session/keep-trying.ts'
import { platformHttpOptions } from '../session/platform-http-options.ts'
import { Progress } from '../session/progress.ts'
import { Session } from '../session/session.ts'
import { statusDetails } from './status-details.ts'
import { StreamReading } from './stream-reading.ts'
import { lastPingMs, lastStepsMs, StopSteps } from './stop-steps.ts'
import { summarize } from './summarize.ts'

/** One connector from start to stop: its platform, its stream, and the stages in between. */
export class Runtime {
  readonly #options: RuntimeOptions
  readonly #lifecycle: Lifecycle
  readonly #progress = new Progress()
  readonly #ownUser: OwnUser = {}
  #built: Stages | undefined
  readonly #session: Session
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
    const { loaded, clock, random, logger, store } = options
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
      facts: () => connectorFacts(this.#stages),
      calls: HookRequests,
      status: () => ({ ...this.status() }),
      details: () => statusDetails(this.#assembly, store, clock, options.redactor),
    })
    this.#session = new Session({
      platform: this.#platform,
      settings: loaded.settings.connector,
      store,
      clock,
      random,
      logger,
      ownUser: this.#ownUser,
      // Fields of the author's class come after this.
      holdsItems: () => given.hooks.replaceAll !== undefined || given.files !== undefined,
      save: async () => {
        await this.#assembly.checkpointer.flush(true)
        return this.#progress.text()
      },
      onReset: (state) => this.reading.restart(state),
      onNotice,
    })
  }

  /** Built on first use: hooks can be class fields, which exist only after the constructor. */
  get #stages(): Stages {
    return (this.#built ??= this.#build())
  }

  get #assembly(): Assembly {
    return this.#stages.assembly
  }

  #build(): Stages {
    const shared = {
      ...this.#options,
      progress: this.#progress,
      lifecycle: this.#lifecycle,
      givenUp: this.#givenUp.signal,
      http: this.#http,
      platform: this.#platform,
    }
    const assembly = new Assembly({
      ...shared,
      observation: this.#observation,
      lookups: this.lookups,
      knowledge: new PlatformKnowledge(this.#http, this.#options.loaded.settings.opencti.url),
      ownUser: this.#ownUser,
      onStop: (verdict) => {
        this.#failure ??= new StreamConnectorError('STOP', this.#options.redactor.clean(verdict.reason))
        void this.stop()
      },
    })
    const known = { ...shared, assembly, session: this.#session, stream: this.#observation.stream }
    return {
      ...known,
      lookups: this.lookups,
      messages: new GivenMessages(assembly, shared),
      reading: new StreamReading(known),
    }
  }

  /** Delivers messages that are handed in. */
  get messages(): GivenMessages {
    return this.#stages.messages
  }

  /** Reads the live stream. */
  get reading(): StreamReading {
    return this.#stages.reading
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
    const status = connectorStatus(connectorFacts(this.#stages), {
      position: this.#progress.position,
      reconcile: this.#assembly.reconcile.last,
      endpoints: this.#observation.addresses,
    })
    return scrubbed(status, this.#options.redactor)
  }

  /** Compares target, id map, and platform, and repairs; rejects if that could not be completed. */
  reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
    return this.#assembly.reconcile.now(options, this.#stopping.signal).catch((error: unknown) => {
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
      scrubError(error, this.#options.redactor)
      this.#failure = error as Error
      this.#lifecycle.move('failed')
      await this.stop()
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
    const running = this.#assembly.engine.running().slice(0, 10)
    this.#options.onNotice({
      kind: 'unhandled-error',
      error: describeError(error),
      stack: error instanceof Error ? String(error.stack) : undefined,
      atWork: running.map(({ kind, entity }) => `${kind} ${entity.id}`),
      isGoingOn,
    })
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { loaded, logger, hooks, folderNote } = this.#options
    const { connector } = loaded.settings
    requireStreamId(connector.live_stream_id)
    logger.info('Settings loaded', { settings: loaded.source, connector_id: connector.id })
    for (const nearMiss of loaded.nearMisses) logger.warn(nearMiss)
    // Errors, so that they show at the default log level: nothing else explains why nothing is delivered.
    for (const deadFilter of loaded.deadFilters) logger.error(deadFilter)
    if (folderNote !== undefined) logger[folderNote.isGrave ? 'error' : 'warn'](folderNote.message)
    await this.#observation.open()
    this.#lifecycle.waitFor('the target to be ready')
    await this.#assembly.open((open) => openTarget(open, this.#options, signal))
    this.#lifecycle.waitFor('the platform')
    await this.reading.prepare(signal)
    this.#lifecycle.waitFor('the live stream')
    await this.reading.untilReadable(signal)
    this.#lifecycle.waitFor('the target')
    const check = async () => hooks.check?.(signal)
    await keepTrying(check, 'The target is not ready yet', this.#options, signal, () => true)
    this.#lifecycle.waitFor(undefined)
    await this.#assembly.resume()
    this.reading.begin()
    this.#lifecycle.move('running')
    void this.#session.run(signal)
    this.#assembly.runInBackground(signal)
    void summarize(() => this.status(), this.#options, signal)
  }

  async #stop(): Promise<void> {
    const { loaded, logger, clock } = this.#options
    const { assembly, reading, messages } = this.#stages
    this.#lifecycle.move('stopping')
    this.#stopping.abort(new StreamConnectorError('LIFECYCLE', 'The connector was asked to stop.'))
    // Whoever waits for the process to end uses the machine's clock.
    const steps = new StopSteps({ graceMs: loaded.delivery.stopGraceMs, clock: systemClock, logger })
    const closed = reading.close()
    await steps.take('Ending the stream', () => closed, steps.leftMs(2 * lastStepsMs))
    await steps.take('Finishing work', () =>
      finishWork(assembly.engine, {
        hasFailed: this.#failure !== undefined,
        graceMs: steps.workMs,
        clock,
        logger,
        givenUp: this.#givenUp.signal,
        abandon: () => this.abandon(),
      }),
    )
    assembly.deadLetters.stop()
    // The last ping must not undo a reset that was noticed before.
    await steps.take('Applying the reset', () => reading.untilReset(), steps.leftMs(lastStepsMs))
    reading.ignoreResets()
    await assembly.close(steps, async () => {
      if (reading.hasBegun) await this.#session.pingLast(Math.min(lastPingMs, steps.leftMs(lastStepsMs)))
    })
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

/** Where events and messages pass through, and what is known about them. */
interface Stages extends FactSources {
  readonly messages: GivenMessages
  readonly reading: StreamReading
}
