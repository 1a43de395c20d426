import { Checkpointer } from '../checkpoint/checkpointer.ts'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Verdict } from '../errors/verdict.ts'
import { Books, type Outcome } from '../flow/books.ts'
import { Engines } from '../flow/engines.ts'
import { Filter } from '../flow/filter.ts'
import { type Route } from '../flow/route.ts'
import { type RouteAccount, Routes } from '../flow/routes.ts'
import { Window } from '../flow/window.ts'
import { CheckpointAge } from '../observe/facts/checkpoint-age.ts'
import { type HookTimings } from '../observe/facts/hook-timings.ts'
import { type RecentErrors } from '../observe/status/recent-errors.ts'
import { type Tracing } from '../observe/tracing/tracing.ts'
import { type PlatformKnowledge } from '../opencti/platform-knowledge.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type LoadedSettings } from '../settings/load-settings.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'
import { ExpiryTimer } from './beside/expiry-timer.ts'
import { droppedByReset, Replayer } from './beside/replayer.ts'
import { type ConnectorHooks } from './contract/hooks.ts'
import { type ConnectorNotice, type ConnectorState } from './contract/notices.ts'
import { DeadLetterBound } from './dead-letters/dead-letter-bound.ts'
import { HookRunner } from './delivery/hook-runner.ts'
import { type TargetLimits } from './delivery/target-limits.ts'
import { recallRoutes } from './id-map/recall-routes.ts'
import { StixIdRecords } from './id-map/stix-id-records.ts'
import { Pipeline, type PipelineMessage } from './intake/pipeline.ts'
import { LinkQueue } from './links/link-queue.ts'
import { mapValue, type Progress } from './platform/progress.ts'
import { Reconciler } from './reconcile/reconciler.ts'
import { Reconciliation } from './reconcile/reconciliation.ts'

/** What an {@link Assembly} is put together from. */
export interface AssemblyOptions {
  readonly hooks: ConnectorHooks
  readonly loaded: LoadedSettings
  readonly store: StateStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Shared with the HTTP clients of the author. */
  readonly limits: TargetLimits
  /** Cleans what goes into dead letters. */
  readonly redactor: Redactor
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** What an {@link Assembly} asks of the one that runs it. */
export interface AssemblyOwner {
  readonly progress: Progress
  /** Aborted when what is in flight is given up. */
  readonly givenUp: AbortSignal
  readonly ownUserId: () => string | undefined
  readonly onStop: (verdict: Verdict) => void
  /** An author or a marking came. */
  readonly onReference: (event: StreamEvent) => void
  /** Told of tries that failed and will be made again. */
  readonly errors: RecentErrors
  readonly timings: HookTimings
  readonly tracing: Tracing
  readonly knowledge: PlatformKnowledge
  readonly state: () => ConnectorState
}

/** The stages between a message and its end, joined: pipeline, engine, hooks, checkpoint, bounds. */
export class Assembly {
  readonly books = new Books()
  readonly routes: Routes
  readonly window: Window
  readonly engine: Engines
  readonly pipeline: Pipeline
  readonly checkpointer: Checkpointer
  readonly deadLetters: DeadLetterBound
  readonly replayer: Replayer
  readonly stixIdRecords: StixIdRecords
  readonly reconciliation: Reconciliation
  readonly #expiryTimer: ExpiryTimer
  readonly links: LinkQueue
  readonly #checkpointAge: CheckpointAge
  readonly #options: AssemblyOptions
  readonly #owner: AssemblyOwner
  readonly #progress: Progress
  #opened: Promise<void> | undefined

  constructor(options: AssemblyOptions, owner: AssemblyOwner) {
    const { clock, random, logger, store, hooks, onNotice } = options
    const { delivery } = options.loaded
    this.#options = options
    this.#progress = owner.progress
    this.window = new Window(delivery.queue)
    this.deadLetters = new DeadLetterBound(delivery.deadLetters.max, store, clock, logger, () =>
      this.checkpointer.flush(),
    )
    this.#checkpointAge = new CheckpointAge(clock)
    this.links = new LinkQueue({
      hooks,
      knowledge: owner.knowledge,
      clock,
      random,
      ownUserId: owner.ownUserId,
      touch: () => this.checkpointer.touch(),
      onNotice,
    })
    this.checkpointer = new Checkpointer({
      store,
      clock,
      random,
      values: () => {
        this.#checkpointAge.begins(this.checkpointer.problem === undefined)
        const isUnsure = this.checkpointer.problem !== undefined
        return new Map([...owner.progress.values(), ...this.links.values(isUnsure)])
      },
      safe: () => owner.progress.safe,
      onHealth: (problem) => this.#onStateHealth(problem),
    })
    this.stixIdRecords = new StixIdRecords(this.checkpointer)
    const { books, checkpointer, window } = this
    this.#owner = owner
    this.routes = new Routes(delivery.routes, books)
    this.engine = new Engines({
      delivery,
      handler: this.#handlerOf(undefined),
      books,
      clock,
      random,
      logger,
      bucket: options.limits.ofHooks(),
      takesTokens: () => options.limits.countsHooks(),
      bulk: hooks.flush !== undefined,
    })
    for (const route of this.routes.all) this.#addRoute(route)
    this.pipeline = new Pipeline({
      books,
      window,
      engine: this.engine,
      filter: new Filter(delivery.filter),
      routes: this.routes,
      checkpointer,
      delivery,
      clock,
      ownUserId: owner.ownUserId,
      isEcho: (event) => this.links.isEcho(event),
      trace: (name, position, isAlone) => owner.tracing.begin(name, position, isAlone),
      onReference: owner.onReference,
      clean: (text) => options.redactor.clean(text),
      onDeadLetter: (letter) => {
        this.deadLetters.add()
        onNotice({ kind: 'dead-lettered', ...letter })
      },
      onFailedAgain: (operation, error, atMs) => this.replayer.failedAgain(operation, error, atMs),
    })
    this.replayer = new Replayer({
      store,
      checkpointer,
      clock,
      logger,
      // Not that of the dead letters: where there are too many of them, replaying is the way out.
      room: () => window.room() ?? checkpointer.room(),
      replay: (letter, onSettled) => this.pipeline.replay(letter, onSettled),
      hurry: () => this.engine.hurry(),
      onRemoved: () => this.deadLetters.remove(),
    })
    this.#expiryTimer = new ExpiryTimer({
      isOn: delivery.on.expiryTimer && delivery.idMap,
      store,
      checkpointer,
      clock,
      logger,
      room: () => window.room() ?? checkpointer.room(),
      expire: (record, onEnded) => this.pipeline.expire(record, onEnded),
      hurry: () => this.engine.hurry(),
    })
    const isCatchingUp = () => owner.progress.ledger.catchingUp
    const reconciler = new Reconciler({
      hooks,
      store,
      checkpointer,
      knowledge: owner.knowledge,
      clock,
      reconcile: delivery.reconcile,
      isCatchingUp,
      room: () => window.room() ?? checkpointer.room(),
      repair: (event, repair, onEnded) => this.pipeline.repair(event, repair, onEnded),
      hurry: () => this.engine.hurry(),
    })
    this.reconciliation = new Reconciliation({
      reconciler,
      reconcile: delivery.reconcile,
      clock,
      hasIdMap: delivery.idMap,
      state: owner.state,
      isCatchingUp,
      open: () => this.open(),
      onNotice,
    })
  }

  /** Milliseconds since the state was last written. */
  get checkpointAgeMs(): number {
    return this.#checkpointAge.ageMs(this.checkpointer.problem === undefined)
  }

  /** Whether {@link open} was called. */
  get isOpened(): boolean {
    return this.#opened !== undefined
  }

  /** Opens the state, and what the hooks need. */
  open(): Promise<void> {
    this.#opened ??= this.#open()
    return this.#opened
  }

  /** Does what no event asks for, until `signal` is aborted: replays dead letters, withdraws what has expired. */
  runBeside(signal: AbortSignal): void {
    void this.replayer.run(signal)
    void this.#expiryTimer.run(signal)
    void this.reconciliation.run(signal)
    void this.links.run(signal)
  }

  /** Takes one message to its end. */
  async process(message: PipelineMessage): Promise<Outcome> {
    await this.open()
    await this.room()
    return new Promise((resolve) => {
      this.pipeline.accept(message, undefined, resolve)
      this.engine.hurry()
    })
  }

  /** Takes many messages to their end, as the stream would bring them. */
  async processAll(messages: AsyncIterable<PipelineMessage>): Promise<void> {
    await this.open()
    const ended = Promise.withResolvers<void>()
    // One more than are under way, until the last was taken in.
    let left = 1
    const onEnd = () => {
      if (--left === 0) ended.resolve()
    }
    for await (const message of messages) {
      await this.room()
      left++
      this.pipeline.accept(message, undefined, onEnd)
    }
    // Batches need not wait for company that cannot come. Where a stream is read it may, and it may never be done.
    if (this.#owner.state() === 'idle') void this.engine.drain()
    else this.engine.hurry()
    onEnd()
    await ended.promise
  }

  /** Undefined when more may be taken in; else resolves when there is room and everything can be written. */
  room(): Promise<void> | undefined {
    const wait = this.window.room() ?? this.checkpointer.room() ?? this.deadLetters.room()
    if (wait === undefined) return undefined
    this.engine.hurry()
    return wait.then(() => this.room())
  }

  /** Drops what no hook is at work on: it is of a life that somebody has reset. */
  clear(): void {
    for (const operation of this.engine.clear()) {
      operation.finish(droppedByReset, droppedByReset)
    }
  }

  /** How each route does, by its name. */
  routeAccounts(): ReadonlyMap<string, RouteAccount> {
    const accounts = this.routes.all.map(
      (route) =>
        [
          route.name,
          {
            ...route.books.snapshot(),
            outage: this.engine.outageOf(route),
            concurrencyLimit: this.engine.limitOf(route),
          },
        ] as const,
    )
    return new Map(accounts)
  }

  #addRoute(route: Route): void {
    const { loaded, limits } = this.#options
    const { delivery } = loaded
    const concurrency = delivery.routes.find(({ name }) => name === route.name)?.concurrency
    const own =
      concurrency === undefined
        ? delivery
        : { ...delivery, concurrency, batch: { ...delivery.batch, maxInFlight: concurrency } }
    this.engine.add(route, {
      delivery: own,
      handler: this.#handlerOf(route),
      bucket: limits.ofHooks(route.name),
      takesTokens: () => limits.countsHooks(route.name),
    })
  }

  /** What calls the hooks for a route, or for what goes through none. */
  #handlerOf(route: Route | undefined): HookRunner {
    const { hooks, loaded, clock, logger, onNotice } = this.#options
    const { timings, tracing, givenUp, progress, onStop, errors } = this.#owner
    const names = ['transform', 'find', 'create', 'update', 'delete', 'flush'] as const
    return new HookRunner({
      hooks: timings.watch(hooks, names, route?.name),
      delivery: loaded.delivery,
      checkpointer: this.checkpointer,
      clock,
      logger,
      stopped: givenUp,
      mapIsComplete: () => progress.mapIsComplete,
      stixIdRecords: this.stixIdRecords,
      isStale: (operation, record) => this.replayer.isStale(operation, record),
      traceBatch: (operations) => tracing.batch(operations),
      links: this.links,
      onChanged: (record) => this.reconciliation.noteChanged(record),
      onRetry: ({ kind, entity }, { reason }) =>
        errors.note({ what: `${kind}, tried again`, text: reason, entityId: entity.id }),
      onDeadLetter: (operation, verdict) => this.pipeline.bury(operation, verdict),
      onOutage: (reason, name) =>
        onNotice(
          reason === undefined ? { kind: 'resumed', route: name } : { kind: 'paused', reason, route: name },
        ),
      onStop,
    })
  }

  async #open(): Promise<void> {
    const { store, loaded, hooks, logger } = this.#options
    await this.#owner.tracing.open()
    const { fresh } = await store.open(loaded.settings.connector.id)
    this.#progress.knowMap(await store.value(mapValue), fresh)
    const gone = await recallRoutes(this.routes, { store, logger, idMap: loaded.delivery.idMap })
    for (const route of gone) this.#addRoute(route)
    await this.deadLetters.open()
    await this.checkpointer.open()
    await this.stixIdRecords.open(store)
    if (loaded.delivery.on.expiryTimer && !loaded.delivery.idMap) {
      logger.warn(
        'CONNECTOR_ON_EXPIRY_TIMER needs the id map (CONNECTOR_ID_MAP): nothing is withdrawn by time',
      )
    }
    await this.links.open(store)
    const missing = (['create', 'update', 'delete'] as const).filter((hook) => hooks[hook] === undefined)
    if (hooks.flush === undefined) {
      if (missing.length === 3) throw nothingToDo()
      for (const hook of missing) {
        logger.warn(`The connector has no ${hook} hook: such events are skipped`, {
          reason: `no-${hook}-hook`,
        })
      }
    }
    await hooks.open?.()
  }

  #onStateHealth(problem: StreamConnectorError | undefined): void {
    this.#options.onNotice(
      problem === undefined ? { kind: 'state-restored' } : { kind: 'state-not-written', error: problem },
    )
  }
}

function nothingToDo(): StreamConnectorError {
  return new StreamConnectorError(
    'HOOK_MISSING',
    'The connector class has neither create, update, delete nor flush, so there is nothing that it could do. Write at least one.',
  )
}
