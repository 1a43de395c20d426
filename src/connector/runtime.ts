import { type KyInstance } from 'ky'
import { Checkpointer } from '../checkpoint/checkpointer.ts'
import { Ledger } from '../checkpoint/ledger.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError, type Verdict } from '../errors/verdict.ts'
import { Books, type BooksSnapshot, type Outcome } from '../flow/books.ts'
import { Engine } from '../flow/engine.ts'
import { Filter } from '../flow/filter.ts'
import { TokenBucket } from '../flow/token-bucket.ts'
import { Window } from '../flow/window.ts'
import { type ConnectorState as PlatformState } from '../opencti/connector-state.ts'
import { createPlatformHttp } from '../opencti/http.ts'
import { Platform } from '../opencti/platform.ts'
import { formatPosition, startOfTime } from '../opencti/position.ts'
import { checkStream, requireStreamId, type CheckedStream } from '../opencti/stream-check.ts'
import { type LoadedSettings } from '../settings/load-settings.ts'
import { type StateStore } from '../store/state-store.ts'
import { EventStream } from '../stream/event-stream.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'
import { DeadLetterBound } from './dead-letter-bound.ts'
import { HookRunner } from './hook-runner.ts'
import { type Hooks } from './hooks.ts'
import { Lifecycle } from './lifecycle.ts'
import { type ConnectorNotice, type ConnectorState } from './notices.ts'
import { Pipeline, type PipelineMessage } from './pipeline.ts'
import { Session, stateText, stateValue } from './session.ts'
import { StreamReader } from './stream-reader.ts'

/** The parts of a connector class that its runtime calls. */
export interface ConnectorHooks extends Hooks<unknown> {
  check?(signal: AbortSignal): void | Promise<void>
  open?(): void | Promise<void>
  close?(): void | Promise<void>
}

/** What a {@link Runtime} is made of. */
export interface RuntimeOptions {
  readonly hooks: ConnectorHooks
  readonly loaded: LoadedSettings
  readonly store: StateStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly bucket: TokenBucket
  /** Cleans what goes into dead letters. */
  readonly redactor: Redactor
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** How a connector does at one moment. */
export interface ConnectorStatus extends BooksSnapshot {
  readonly state: ConnectorState
  /** What has been received and is not finished, in bytes. */
  readonly bytesInFlight: number
  /** The position that needs no more work, `<ms>-<seq>`. */
  readonly position: string
  /** Whether what existed before the first start is still being received. */
  readonly catchingUp: boolean
  /** How far finished work lies behind the newest id that was seen, in milliseconds. */
  readonly lagMs: number
  /** Why the target counts as down; absent when it does not. */
  readonly outage: string | undefined
  /** Why the state cannot be written; absent when it can. */
  readonly stateProblem: string | undefined
}

const waitBounds = { baseMs: 1000, maxMs: 30_000 }

/** How long the last ping and other goodbyes may take, in milliseconds. */
const goodbyeMs = 5000

/** Joins the stages for one connector, starts and stops them. */
export class Runtime {
  readonly #options: RuntimeOptions
  readonly #lifecycle: Lifecycle
  readonly #books = new Books()
  readonly #window: Window
  readonly #engine: Engine
  readonly #pipeline: Pipeline
  readonly #checkpointer: Checkpointer
  readonly #session: Session
  readonly #deadLetters: DeadLetterBound
  readonly #http: KyInstance
  readonly #platform: Platform
  /** Aborted when the connector is to stop; when it gives up what is in flight. */
  readonly #stopping = new AbortController()
  readonly #givenUp = new AbortController()
  readonly #finished = Promise.withResolvers<void>()
  #ledger = new Ledger({ from: startOfTime })
  #state: PlatformState = { startFrom: startOfTime, recoverUntil: false, foreign: {} }
  #mapIsComplete = false
  #newestMs = 0
  #stream:
    | { readonly abort: AbortController; readonly done: Promise<void>; readonly events: EventStream }
    | undefined
  #opened: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #failure: Error | undefined
  #resetting: Promise<void> = Promise.resolve()

  constructor(options: RuntimeOptions) {
    this.#options = options
    const { loaded, clock, random, logger, store } = options
    const { settings, delivery } = loaded
    this.#lifecycle = new Lifecycle((state) => options.onNotice({ kind: 'state', state }))
    this.#http = createPlatformHttp({
      token: settings.opencti.token.reveal(),
      customHeaders: Object.fromEntries(
        Object.entries(settings.opencti.custom_headers).map(([name, value]) => [name, value.reveal()]),
      ),
      verify: settings.opencti.ssl_verify,
      ca: settings.opencti.ssl_ca,
      cert: settings.opencti.ssl_cert,
      key: settings.opencti.ssl_key?.reveal(),
      passphrase: settings.opencti.ssl_passphrase?.reveal(),
      proxy: settings.opencti.proxy?.reveal(),
    })
    this.#platform = new Platform(this.#http, settings.opencti.url)
    this.#window = new Window(delivery.queue)
    this.#deadLetters = new DeadLetterBound(delivery.deadLetters.max, store, clock, logger)
    this.#checkpointer = new Checkpointer({
      store,
      clock,
      random,
      values: () => this.#values(),
      onHealth: (problem) => this.#onStateHealth(problem),
    })
    const runner = new HookRunner({
      hooks: options.hooks,
      delivery,
      checkpointer: this.#checkpointer,
      clock,
      logger,
      stopped: this.#givenUp.signal,
      mapIsComplete: () => this.#mapIsComplete,
      onDeadLetter: (operation, verdict) => this.#pipeline.bury(operation, verdict),
      onOutage: (reason) => this.#onOutage(reason),
      onStop: (verdict) => this.#onStop(verdict),
    })
    this.#engine = new Engine({
      delivery,
      handler: runner,
      books: this.#books,
      clock,
      random,
      logger,
      bucket: options.bucket,
      bulk: options.hooks.flush !== undefined,
    })
    this.#pipeline = new Pipeline({
      books: this.#books,
      window: this.#window,
      engine: this.#engine,
      filter: new Filter(delivery.filter),
      checkpointer: this.#checkpointer,
      delivery,
      clock,
      ownUserId: () => this.#session.userId,
      clean: (text) => options.redactor.clean(text),
      onDeadLetter: (letter) => this.#onDeadLetter(letter),
    })
    this.#session = new Session({
      platform: this.#platform,
      settings: settings.connector,
      store,
      clock,
      random,
      logger,
      save: async () => {
        await this.#checkpointer.flush(true)
        return stateText(this.#state)
      },
      onReset: (state) => this.#onReset(state),
      onPing: (error) => this.#onPing(error),
    })
  }

  status(): ConnectorStatus {
    return {
      ...this.#books.snapshot(),
      state: this.#lifecycle.state,
      bytesInFlight: this.#window.bytes,
      position: formatPosition(this.#ledger.safe),
      catchingUp: this.#ledger.catchingUp,
      lagMs: Math.max(
        0,
        this.#newestMs - Math.max(this.#ledger.safe.ms, this.#engine.size === 0 ? this.#newestMs : 0),
      ),
      outage: this.#engine.outageReason,
      stateProblem: this.#checkpointer.problem?.message,
    }
  }

  /** Asks the platform whether the configured stream exists, runs, and may be read. */
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

  /** Takes one message through the whole pipeline; resolves with what became of it. */
  async processMessage(message: PipelineMessage): Promise<Outcome> {
    await this.#open()
    await this.#room()
    return new Promise((resolve) => {
      this.#pipeline.accept(message, undefined, resolve)
      this.#engine.hurry()
    })
  }

  /** Resolves when the stream is being read; rejects when that cannot be. */
  async start(): Promise<void> {
    this.#lifecycle.move('starting')
    try {
      await this.#start(this.#stopping.signal)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#failure = error as Error
      this.#lifecycle.move('failed')
      await this.stop()
      throw error
    }
  }

  /** Resolves when the connector has stopped; rejects when it stopped because it could not go on. */
  get finished(): Promise<void> {
    return this.#finished.promise
  }

  /** Stops reading, lets work finish within the grace time, saves, says goodbye. Each call is the same stop. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Gives up what is in flight at once. */
  abandon(): void {
    this.#givenUp.abort(
      new StreamConnectorError('LIFECYCLE', 'The connector stops and gives up what is in flight.'),
    )
  }

  #open(): Promise<void> {
    this.#opened ??= (async () => {
      const { store, loaded, hooks, logger } = this.#options
      const { fresh } = await store.open(loaded.settings.connector.id)
      this.#mapIsComplete = fresh || (await store.value(mapValue)) === 'complete'
      await this.#deadLetters.open()
      for (const hook of ['create', 'update', 'delete'] as const) {
        if (hooks[hook] !== undefined || hooks.flush !== undefined) continue
        logger.warn(`The connector has no ${hook} hook: such events are skipped`, {
          reason: `no-${hook}-hook`,
        })
      }
      await hooks.open?.()
    })()
    return this.#opened
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { loaded, logger, hooks } = this.#options
    requireStreamId(loaded.settings.connector.live_stream_id)
    logger.info('Connector starts', { settings: loaded.source, connector_id: loaded.settings.connector.id })
    await this.#open()
    const start = await this.#session.open(signal)
    if (start.isTaken) this.#mapIsComplete = false
    if (start.isAnew) await this.#options.store.commit({ forgetPositions: true })
    this.#begin(start.state)
    await this.#checkpointer.flush(true)
    await this.#waitFor(
      'The live stream cannot be read yet',
      signal,
      async () => {
        const stream = await this.checkStream(signal)
        logger.info('Stream ID validated', { stream_id: stream.id, stream_name: stream.name })
      },
      (error) => error.code === 'STREAM_STOPPED' || error.code === 'PLATFORM_UNREACHABLE',
    )
    if (hooks.check !== undefined) {
      await this.#waitFor(
        'The target is not ready yet',
        signal,
        async () => hooks.check!(signal),
        () => true,
      )
    }
    this.#read()
    this.#lifecycle.move('running')
    void this.#session.run(signal)
    void this.#summarize(signal)
  }

  /** Tries until it works; what only a person can mend is thrown, unless waiting is what a person expects. */
  async #waitFor(
    what: string,
    signal: AbortSignal,
    call: () => Promise<void>,
    canWait: (error: StreamConnectorError) => boolean,
  ): Promise<void> {
    const { clock, random, logger } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        await call()
        return
      } catch (error) {
        signal.throwIfAborted()
        if (isStreamConnectorError(error) && (error.code === 'STOP' || !canWait(error))) throw error
        const waitMs = backoffMs(attempt, waitBounds, random)
        logger.warn(`${what}; trying again`, { error: describeError(error), retry_in_ms: Math.round(waitMs) })
        await delay(clock, waitMs, signal)
      }
    }
  }

  #begin(state: PlatformState): void {
    this.#state = state
    const untilMs = typeof state.recoverUntil === 'string' ? Date.parse(state.recoverUntil) : Number.NaN
    this.#ledger = new Ledger({
      from: state.startFrom ?? startOfTime,
      ...(Number.isNaN(untilMs) ? {} : { catchUpUntilMs: untilMs }),
    })
    this.#checkpointer.touch()
  }

  #read(): void {
    const { loaded, clock, random } = this.#options
    const { opencti, connector } = loaded.settings
    const reader = new StreamReader({
      ledger: this.#ledger,
      pipeline: this.#pipeline,
      settings: connector,
      recoverUntil: () => (this.#state.recoverUntil === false ? undefined : this.#state.recoverUntil),
      room: () => this.#room(),
      onNotice: (notice) => this.#options.onNotice({ kind: 'stream', notice }),
      onGap: (from, firstAvailable) => this.#onGap(from, firstAvailable),
      onNoRecover: () => {
        this.#state = { ...this.#state, recoverUntil: false }
        this.#checkpointer.touch()
      },
      onCaughtUp: (position) => this.#options.onNotice({ kind: 'caught-up', position }),
      onProgress: (newestMs) => {
        if (newestMs > this.#newestMs) this.#newestMs = newestMs
        this.#checkpointer.touch()
      },
    })
    const events = new EventStream({
      http: this.#http,
      url: `${opencti.url}/stream/${encodeURIComponent(requireStreamId(connector.live_stream_id))}`,
      handler: reader,
      clock,
      random,
      limits: { maxFrameBytes: loaded.delivery.queue.maxFrameBytes },
    })
    const abort = new AbortController()
    this.#stream = { abort, events, done: events.run(abort.signal) }
  }

  /** Undefined when more may be taken in; else resolves when there is room and everything can be written. */
  #room(): Promise<void> | undefined {
    const wait = this.#window.room() ?? this.#checkpointer.room() ?? this.#deadLetters.room()
    if (wait === undefined) return undefined
    this.#engine.hurry()
    return wait.then(() => this.#room())
  }

  #values(): ReadonlyMap<string, string | undefined> {
    this.#state = { ...this.#state, startFrom: this.#ledger.safe }
    return new Map([
      [stateValue, stateText(this.#state)],
      [mapValue, this.#mapIsComplete ? 'complete' : undefined],
    ])
  }

  #onGap(from: string, firstAvailable: string): void {
    const { loaded, clock } = this.#options
    const isRepaired = loaded.settings.connector.live_stream_recover && this.#state.recoverUntil !== false
    this.#options.onNotice({ kind: 'gap', from, firstAvailable, isRepaired })
    if (!isRepaired) return
    const untilMs = clock.now()
    this.#state = { ...this.#state, recoverUntil: new Date(untilMs).toISOString() }
    this.#ledger.beginCatchUp(untilMs)
    this.#checkpointer.touch()
    this.#stream?.events.reconnect('a gap is repaired')
  }

  #onReset(state: PlatformState): void {
    this.#resetting = this.#resetting.then(() => this.#reset(state))
  }

  async #reset(state: PlatformState): Promise<void> {
    if (this.#lifecycle.state !== 'running') return
    this.#stream?.abort.abort()
    await this.#stream?.done
    for (const operation of this.#engine.clear()) {
      for (const delivery of operation.replaced ?? []) delivery.finish(droppedByReset)
      operation.delivery.finish(droppedByReset)
    }
    await this.#atMost(this.#engine.drain(), this.#options.loaded.delivery.stopGraceMs)
    this.#begin(state)
    await this.#options.store
      .commit({ forgetPositions: true })
      .catch((error: StreamConnectorError) => this.#onStateHealth(error))
    await this.#checkpointer.flush(true).catch(() => {})
    this.#options.onNotice({ kind: 'reset', from: formatPosition(state.startFrom ?? startOfTime) })
    if (this.#lifecycle.state === 'running') this.#read()
  }

  #onOutage(reason: string | undefined): void {
    this.#options.onNotice(reason === undefined ? { kind: 'resumed' } : { kind: 'paused', reason })
  }

  #onStop(verdict: Verdict): void {
    this.#failure ??= new StreamConnectorError('STOP', verdict.reason)
    void this.stop()
  }

  #onDeadLetter(letter: { entityId: string | undefined; error: string; position: string | undefined }): void {
    this.#deadLetters.add()
    this.#options.onNotice({ kind: 'dead-lettered', ...letter })
  }

  #onStateHealth(problem: StreamConnectorError | undefined): void {
    this.#options.onNotice(
      problem === undefined ? { kind: 'state-restored' } : { kind: 'state-not-written', error: problem },
    )
  }

  #onPing(error: StreamConnectorError | undefined): void {
    this.#options.onNotice(error === undefined ? { kind: 'ping-restored' } : { kind: 'ping-failed', error })
  }

  /** The specification's line of metrics. */
  async #summarize(signal: AbortSignal): Promise<void> {
    const { metricsIntervalMs } = this.#options.loaded.delivery
    if (metricsIntervalMs === 0) return
    for (;;) {
      try {
        await delay(this.#options.clock, metricsIntervalMs, signal)
      } catch {
        return
      }
      const { delivered, skipped, deadLettered, inFlight, retries, lagMs } = this.status()
      this.#options.logger.info('Connector metrics', {
        events_processed: delivered,
        events_failed: deadLettered,
        success_rate: delivered + deadLettered === 0 ? 0 : delivered / (delivered + deadLettered),
        events_skipped: skipped,
        in_flight: inFlight,
        retries,
        lag_seconds: Math.round(lagMs / 1000),
      })
    }
  }

  async #stop(): Promise<void> {
    const { loaded, hooks, store, logger } = this.#options
    const wasRunning = this.#stream !== undefined
    if (this.#lifecycle.state !== 'stopping') this.#lifecycle.move('stopping')
    this.#stopping.abort(new StreamConnectorError('LIFECYCLE', 'The connector was asked to stop.'))
    this.#stream?.abort.abort()
    const step = async (what: string, call: () => unknown) => {
      try {
        await call()
      } catch (error) {
        this.#failure ??= error as Error
        logger.error(`${what} failed while stopping`, { error: describeError(error) })
      }
    }
    await step('Ending the stream', () => this.#stream?.done)
    await step('Finishing work', async () => {
      const canFinish = this.#failure === undefined && this.#engine.outageReason === undefined
      const isDone = await this.#atMost(this.#engine.drain(), canFinish ? loaded.delivery.stopGraceMs : 0)
      this.#engine.stop()
      if (isDone) return
      logger.warn('Stopped before everything was finished; it comes again at the next start', {
        in_flight: this.#engine.size,
      })
      this.abandon()
      await this.#atMost(this.#engine.rest(), 1000)
    })
    this.#deadLetters.stop()
    if (this.#opened !== undefined) {
      await step('Saving the state', () => this.#checkpointer.flush(true))
      if (wasRunning) await step('The last ping', () => this.#session.ping(AbortSignal.timeout(goodbyeMs)))
      this.#checkpointer.stop()
      await step('close()', () => hooks.close?.())
      await step('Closing the state', () => store.close())
    }
    this.#lifecycle.move(this.#failure === undefined ? 'stopped' : 'failed')
    if (this.#failure === undefined) this.#finished.resolve()
    else this.#finished.reject(this.#failure)
    this.#finished.promise.catch(() => {})
  }

  /** Whether `work` is done within `limitMs`, or before what is in flight is given up. */
  async #atMost(work: Promise<void>, limitMs: number): Promise<boolean> {
    const over = Promise.withResolvers<boolean>()
    const cancel = this.#options.clock.schedule(limitMs, () => over.resolve(false))
    const onGivenUp = () => over.resolve(false)
    this.#givenUp.signal.addEventListener('abort', onGivenUp, { once: true })
    try {
      return await Promise.race([work.then(() => true), over.promise])
    } finally {
      cancel()
      this.#givenUp.signal.removeEventListener('abort', onGivenUp)
    }
  }
}

const droppedByReset: Outcome = { kind: 'skipped', reason: 'reset' }

/** Name of the value that says whether the id map knows of everything that was ever pushed. */
const mapValue = 'id-map'
