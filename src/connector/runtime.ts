import { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { type Outcome } from '../events/event-counters.ts'
import { CountedPlatform } from '../observe/facts/counted-platform.ts'
import { type ObservedFacts } from '../observe/facts/observed-facts.ts'
import { scrubbed, scrubError } from '../observe/log/scrub.ts'
import { type OwnMetrics } from '../observe/metrics/own-metrics.ts'
import { Observation } from '../observe/observation.ts'
import { type PlatformState } from '../opencti/platform-state.ts'
import { createPlatformHttp } from '../opencti/http.ts'
import { PlatformKnowledge } from '../lookups/platform-knowledge.ts'
import { formatPosition } from '../util/position.ts'
import { checkStream, requireStreamId, type CheckedStream } from '../opencti/stream-check.ts'
import { systemClock } from '../util/clock.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { Assembly } from './assembly.ts'
import { connectorFacts } from './connector-facts.ts'
import { connectorStatus, type ConnectorStatus } from '../observe/connector-status.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type ReconcileOptions, type ReconcileReport } from '../contract/reconcile-report.ts'
import { HookRequests } from '../target/hook-call.ts'
import { finishWork } from './finish-work.ts'
import { LiveStream } from '../intake/live-stream.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { Lifecycle } from './lifecycle.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { wordsOfNotice } from '../observe/notices/words-of-notice.ts'
import { anyPosition, startWhereAuthorSays } from '../session/author-position.ts'
import { LazyLookups } from '../session/lazy-lookups.ts'
import { isDoneWithin, isTroubleOfPlatform, keepTrying } from '../session/keep-trying.ts'
import { platformHttpOptions } from '../session/platform-http-options.ts'
import { Progress, startKindOf } from '../session/progress.ts'
import { Session } from '../session/session.ts'
import { statusDetails } from './status-details.ts'
import { lastPingMs, lastStepsMs, StopSteps } from './stop-steps.ts'
import { summarize } from './summarize.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Rejects messages that were handed in and not finished when the connector stopped. */
const overBefore = new StreamConnectorError(
  'LIFECYCLE',
  'The connector stopped before it finished every message it was given. Give the messages to the next connector again.',
)

/** One connector from start to stop: its platform, its stream, and the stages in between. */
export class Runtime {
  readonly #options: RuntimeOptions
  readonly #lifecycle: Lifecycle
  readonly #progress = new Progress()
  readonly #ownUser: OwnUser = {}
  #assembled: Assembly | undefined
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
  /** Aborts when it has stopped; unfinished messages then never finish. */
  readonly #over = new AbortController()
  readonly #finished = Promise.withResolvers<void>()
  #stream: LiveStream | undefined
  #stopped: Promise<void> | undefined
  #failure: Error | undefined
  /** For messages. */
  #waitsFor: string | undefined
  #resetting: Promise<void> = Promise.resolve()
  /** The last state is being pushed; a reset noticed now takes effect at the next start. */
  #isSavingLast = false

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
      facts: () => this.#facts(),
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
      onReset: (state) => {
        this.#resetting = this.#resetting.then(() => this.#reset(state))
        return this.#resetting
      },
      onNotice,
    })
  }

  /** Built on first use: hooks can be class fields, which exist only after the constructor. */
  get #assembly(): Assembly {
    return (this.#assembled ??= new Assembly({
      ...this.#options,
      progress: this.#progress,
      lifecycle: this.#lifecycle,
      observation: this.#observation,
      lookups: this.lookups,
      knowledge: new PlatformKnowledge(this.#http, this.#options.loaded.settings.opencti.url),
      ownUser: this.#ownUser,
      givenUp: this.#givenUp.signal,
      onStop: (verdict) => {
        this.#failure ??= new StreamConnectorError('STOP', this.#options.redactor.clean(verdict.reason))
        void this.stop()
      },
    }))
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
    const status = connectorStatus(this.#facts(), {
      position: this.#progress.position,
      reconcile: this.#assembly.reconcile.last,
      endpoints: this.#observation.addresses,
    })
    return scrubbed(status, this.#options.redactor)
  }

  #facts(): ObservedFacts {
    const { clock, loaded } = this.#options
    const facts = connectorFacts({
      assembly: this.#assembly,
      progress: this.#progress,
      lookups: this.lookups,
      platform: this.#platform,
      stream: this.#observation.stream,
      maxDeadLetters: loaded.delivery.deadLetters.max,
      nowMs: clock.now(),
    })
    const { state } = this.#lifecycle
    const { moved: movedPosition, copy: secondCopy } = this.#session
    return { ...facts, state, waitsFor: this.#waitsFor, movedPosition, secondCopy }
  }

  /** Asks the platform whether the configured stream exists, is running, and is readable. */
  checkStream(signal: AbortSignal): Promise<CheckedStream> {
    const { opencti, connector } = this.#options.loaded.settings
    return checkStream({
      platform: this.#platform,
      http: this.#http,
      url: opencti.url,
      streamId: connector.live_stream_id,
      signal,
    })
  }

  /** Runs one message through the whole pipeline; resolves with its outcome. */
  async processMessage(message: StreamMessage): Promise<Outcome> {
    const outcome = await raceWithSignal(this.#over.signal, () => this.#assembly.process(message))
    return scrubbed(outcome, this.#options.redactor)
  }

  /** Compares target, id map, and platform, and repairs; rejects if that could not be completed. */
  reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
    return this.#assembly.reconcile.now(options, this.#stopping.signal).catch((error: unknown) => {
      scrubError(error, this.#options.redactor)
      throw error
    })
  }

  /** Runs messages through the whole pipeline, in order; resolves when all are finished. */
  processMessages(messages: AsyncIterable<StreamMessage>): Promise<void> {
    return raceWithSignal(this.#over.signal, () => this.#assembly.processAll(messages))
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
    await this.#assembly.open()
    this.#waitsFor = 'the platform'
    const found = await this.#session.open(signal)
    this.#progress.knowCatchUp(await this.#options.store.value(storedValues.catchUp))
    const start = await startWhereAuthorSays(found, this.#options, signal)
    if (start.isTaken && !this.#progress.mapIsImported) this.#progress.mapIsComplete = false
    this.#assembly.rebuild.start(start, this.#session.isWhole(start.state))
    if (start.isAnew) await this.#assembly.checkpointer.forgetPositions()
    this.#progress.begin(start.state, startKindOf(start))
    if (start.movedFrom !== undefined) this.#tellReset(formatPosition(start.movedFrom))
    await this.#assembly.checkpointer.flush(true)
    this.#waitsFor = 'the live stream to be there'
    const stream = await keepTrying(
      () => this.checkStream(signal),
      'The live stream cannot be read yet',
      this.#options,
      signal,
      (error) => error.code === 'STREAM_STOPPED' || isTroubleOfPlatform(error),
    )
    logger.info('Stream ID validated', { stream_id: stream.id, stream_name: stream.name })
    this.#waitsFor = 'the target to be ready'
    const check = async () => hooks.check?.(signal)
    await keepTrying(check, 'The target is not ready yet', this.#options, signal, () => true)
    this.#waitsFor = undefined
    await this.#assembly.resume()
    this.#read()
    this.#lifecycle.move('running')
    void this.#session.run(signal)
    this.#assembly.runBeside(signal)
    void summarize(() => this.status(), this.#options, signal)
  }

  #read(): void {
    const { pipeline, checkpointer } = this.#assembly
    this.#stream = new LiveStream({
      ...this.#options,
      http: this.#http,
      platform: this.#platform,
      pipeline,
      checkpointer,
      room: this.#assembly.room,
      progress: this.#progress,
      watch: this.#observation.stream,
    })
  }

  /** Someone changed the state on the platform: restart from there without crashing. */
  async #reset(state: PlatformState): Promise<void> {
    if (this.#isSavingLast) return
    const { clock, loaded, onNotice } = this.#options
    await this.#stream?.close()
    this.#observation.stream.closed()
    this.#assembly.clear()
    await isDoneWithin(
      this.#assembly.engine.drain(),
      loaded.delivery.stopGraceMs,
      clock,
      this.#givenUp.signal,
    )
    try {
      // Save the old state and forget its positions before the new state is saved. If killed in between, the
      // connector finds the platform's state changed and resets again.
      await this.#assembly.checkpointer.forgetPositions(new Map([[storedValues.voidPosition, anyPosition]]))
    } catch (error) {
      onNotice({ kind: 'state-not-written', error: error as StreamConnectorError })
    }
    const was = this.#progress.position
    this.#progress.begin(state)
    this.#assembly.rebuild.restart(this.#session.isWhole(state))
    this.#assembly.checkpointer.touch()
    this.#tellReset(was)
    if (this.#lifecycle.state === 'running') this.#read()
  }

  #tellReset(was: string): void {
    this.#options.onNotice({ kind: 'reset', from: this.#progress.position, was })
  }

  /** Pushes the last state to the platform, if it answers in time. */
  async #pingLast(limitMs: number): Promise<void> {
    const late = new AbortController()
    const cancel = systemClock.schedule(limitMs, () => late.abort())
    await this.#session.pingLast(late.signal)
    cancel()
  }

  async #stop(): Promise<void> {
    const { loaded, hooks, store, logger, clock } = this.#options
    const { engine, checkpointer, deadLetters } = this.#assembly
    const hasSession = this.#stream !== undefined
    this.#waitsFor = undefined
    this.#lifecycle.move('stopping')
    this.#stopping.abort(new StreamConnectorError('LIFECYCLE', 'The connector was asked to stop.'))
    // Whoever waits for the process to end uses the machine's clock.
    const steps = new StopSteps({ graceMs: loaded.delivery.stopGraceMs, clock: systemClock, logger })
    const closed = this.#stream?.close()
    await steps.take('Ending the stream', () => closed, steps.leftMs(2 * lastStepsMs))
    await steps.take('Finishing work', () =>
      finishWork(engine, {
        // While the target is down, or after a failure, queued work cannot finish and is delivered again;
        // running work still can.
        canFinish: this.#failure === undefined && !engine.isPaused,
        graceMs: steps.workMs,
        clock,
        logger,
        givenUp: this.#givenUp.signal,
        abandon: () => this.abandon(),
      }),
    )
    deadLetters.stop()
    // The last ping must not undo a reset that was noticed before.
    await steps.take('Beginning anew', () => this.#resetting, steps.leftMs(lastStepsMs))
    this.#isSavingLast = true
    if (this.#assembly.isOpened) {
      const { hasState } = this.#assembly
      if (hasState) await steps.take('Saving the state', () => checkpointer.flush(true))
      if (hasSession) await this.#pingLast(Math.min(lastPingMs, steps.leftMs(lastStepsMs)))
      checkpointer.stop()
      if (hasState && engine.size === 0 && checkpointer.problem === undefined) {
        await steps.take('Saving the state', () =>
          this.#assembly.uncleanShutdown.note(store, this.#progress.safe),
        )
      }
      await steps.take('close()', () => hooks.close?.())
      await steps.take('Closing the state', () => store.close())
    }
    this.#failure ??= steps.failure
    await this.#observation.close()
    this.#lifecycle.move(this.#failure === undefined ? 'stopped' : 'failed')
    scrubError(this.#failure, this.#options.redactor)
    this.#over.abort(overBefore)
    this.#finished.promise.catch(() => {})
    if (this.#failure === undefined) this.#finished.resolve()
    else this.#finished.reject(this.#failure)
  }
}
