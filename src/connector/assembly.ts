import { Checkpointer } from '../checkpoint/checkpointer.ts'
import { DeadLetterBound } from '../dead-letters/dead-letter-bound.ts'
import { DeadLetterCheck } from '../dead-letters/dead-letter-check.ts'
import { DeadLetterWriter } from '../dead-letters/dead-letter-writer.ts'
import { RefusedRuns } from '../dead-letters/refused-runs.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { EventCounters, droppedByReset } from '../events/event-counters.ts'
import { Filter } from '../events/filter.ts'
import { type Route, Routes } from '../events/routes.ts'
import { ExpiryTimer } from '../expiry/expiry-timer.ts'
import { Engine, type RouteAccount } from '../flow/engine.ts'
import { type Bound, InFlightLimit, Room } from '../flow/in-flight-limit.ts'
import { PushedEntities } from '../id-map/pushed-entities.ts'
import { PerhapsPushed } from '../id-map/perhaps-pushed.ts'
import { recallRoutes } from '../id-map/recall-routes.ts'
import { StixIdRecords } from '../id-map/stix-id-records.ts'
import { TargetIds } from '../id-map/target-ids.ts'
import { ClaimedItems } from '../items/claimed-items.ts'
import { Claims } from '../items/claims.ts'
import { Rebuild } from '../items/rebuild.ts'
import { itemsInCluster } from '../cluster/require-divisible.ts'
import { SavedInOrder } from '../cluster/saved-in-order.ts'
import { UncleanShutdown } from '../id-map/unclean-shutdown.ts'
import { InternalEvents } from '../intake/internal-events.ts'
import { Pipeline, type EventRelay, type PipelineOptions } from '../intake/pipeline.ts'
import { Snapshots } from '../snapshots/snapshots.ts'
import { LinkQueue } from '../links/link-queue.ts'
import { ReconcileSchedule } from '../reconcile/reconcile-schedule.ts'
import { Reconciler } from '../reconcile/reconciler.ts'
import { Replayer } from '../replay/replayer.ts'
import { openState } from '../store/open-state.ts'
import { heapFrameLimit } from '../stream/stream-limits.ts'
import { HangWatch } from '../target/hang-watch.ts'
import { HookRunner } from '../target/hook-runner.ts'
import { requireHooks } from '../target/require-hooks.ts'
import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { systemClock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type AssemblyOptions } from './assembly-options.ts'
import { DeliveryReports } from './delivery-reports.ts'
import { type StopSteps } from './stop-steps.ts'
import { type Destination } from './stream-reading.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Pause before the state is saved again at the end, in milliseconds. */
const saveAgainMs = 200

/** Wires up the stages a message passes through. */
export class Assembly {
  readonly counters = new EventCounters()
  readonly routes: Routes
  readonly inFlight: InFlightLimit
  readonly checkpointer: Checkpointer
  readonly deadLetters: DeadLetterBound
  readonly deadLetterCheck: DeadLetterCheck
  readonly engine: Engine
  /** Whether there is room for one more stream event. */
  readonly room: Room
  readonly links: LinkQueue
  readonly pipeline: Pipeline
  readonly replayer: Replayer
  readonly expiryTimer: ExpiryTimer
  readonly reconcile: ReconcileSchedule
  readonly uncleanShutdown: UncleanShutdown
  readonly rebuild: Rebuild
  readonly #stixIdRecords: StixIdRecords
  readonly #targetIds = new TargetIds()
  readonly #perhapsPushed: PerhapsPushed
  readonly #idMap: PushedEntities
  /** Features to ask and tell about operations. Links are requested before the entity is remembered. */
  readonly #features: readonly DeliveryFeature[]
  /** Lists of a target that only accepts whole lists; otherwise undefined. */
  readonly snapshots: Snapshots | undefined
  readonly #claims: Claims
  readonly #items: ClaimedItems
  /** Features notified of the outcome of items. */
  readonly #itemFeatures: readonly DeliveryFeature[]
  readonly #refusedRuns: RefusedRuns
  readonly #reports: DeliveryReports
  readonly #options: AssemblyOptions
  readonly #pipelineOptions: PipelineOptions
  #opened: Promise<void> | undefined
  #hasState = false

  constructor(options: AssemblyOptions) {
    this.#options = options
    const { loaded, store, clock, logger, hooks, progress, observation, givenUp } = options
    const { delivery, settings } = loaded
    const { counters } = this
    this.uncleanShutdown = new UncleanShutdown(clock)
    const shared = {
      ...options,
      counters,
      delivery,
      listenDelete: settings.connector.live_stream_listen_delete,
      filter: new Filter(delivery.filter, clock),
    }
    // A frame of half the heap's capacity fills the limit alone: two of the largest would not fit.
    const maxBytes = Math.min(delivery.queue.maxBytes, heapFrameLimit() / 2)
    const inFlight = (this.inFlight = new InFlightLimit({ ...delivery.queue, maxBytes }))
    const commitDelayMs = options.cluster?.commitDelayMs
    const checkpointer = (this.checkpointer = new Checkpointer({ ...options, commitDelayMs }))
    const bound = new DeadLetterBound(delivery.deadLetters.max, store, clock, logger, checkpointer)
    this.deadLetters = bound
    this.deadLetterCheck = new DeadLetterCheck(options)
    const engine = (this.engine = new Engine({ ...shared, bulk: hooks.flush !== undefined }))
    const routes = (this.routes = new Routes(delivery.routes, counters, clock))
    const room = (this.room = new Room([inFlight, checkpointer, bound], engine))
    // Replaying dead letters is the way out when there are too many of them.
    const roomForReplay = new Room([inFlight, checkpointer], engine)

    const letters = new DeadLetterWriter({ ...shared, checkpointer, bound })
    const links = (this.links = new LinkQueue({ ...options, checkpointer }))
    const owns = options.cluster && ((key: string) => options.cluster!.owns(key))
    const stages = { ...shared, inFlight, checkpointer, engine, routes, room, owns }
    this.#pipelineOptions = { ...stages, letters, links, tracing: observation.tracing }
    this.pipeline = new Pipeline(this.#pipelineOptions)
    const events = new InternalEvents(stages)
    this.replayer = new Replayer({ ...stages, room: roomForReplay, pipeline: this.pipeline, bound })
    const { idMap: hasIdMap, on, reconcile } = delivery
    this.expiryTimer = new ExpiryTimer({ ...stages, events, isOn: on.expiryTimer && hasIdMap })
    const claims = (this.#claims = new Claims(store, checkpointer, progress))
    const reconciler = new Reconciler({
      ...stages,
      events,
      reconcile,
      claims,
      takesLists: hooks.replaceAll !== undefined || options.files !== undefined,
    })
    this.reconcile = new ReconcileSchedule({
      ...options,
      reconciler,
      reconcile,
      hasIdMap,
      open: () => this.open(),
    })
    this.#refusedRuns = new RefusedRuns({ ...stages, replayer: this.replayer, stopped: givenUp })
    this.#stixIdRecords = new StixIdRecords(checkpointer)
    this.#perhapsPushed = new PerhapsPushed(() => checkpointer.touch())
    this.#idMap = new PushedEntities({
      delivery,
      checkpointer,
      progress,
      stixIdRecords: this.#stixIdRecords,
      targetIds: this.#targetIds,
      perhapsPushed: this.#perhapsPushed,
      uncleanShutdown: this.uncleanShutdown,
    })
    const { combine, update, flush, replaceAll } = hooks
    const { files } = options
    const { snapshot } = delivery
    if (replaceAll !== undefined || files !== undefined)
      this.snapshots = new Snapshots({ ...stages, files, snapshot, combine: combine?.bind(hooks) })
    this.#items = new ClaimedItems({
      claims,
      combine: combine?.bind(hooks),
      tellsChanges: update !== undefined || flush !== undefined,
      targetIds: this.#targetIds,
      hasIdMap,
      progress,
      logger,
      refusal: options.cluster && itemsInCluster,
      snapshots: this.snapshots,
    })
    const { list } = hooks
    this.rebuild = new Rebuild({
      ...stages,
      events,
      claims,
      compare: list === undefined ? undefined : (signal) => this.reconcile.now({}, signal),
    })
    this.#itemFeatures = [this.#items, reconciler]
    const order = options.cluster && new SavedInOrder(checkpointer, givenUp)
    this.#features = [
      ...(order === undefined ? [] : [order]),
      ...(links.isAsked ? [links] : []),
      this.#idMap,
      this.expiryTimer,
      reconciler,
      this.replayer,
    ]
    this.#reports = new DeliveryReports({
      ...options,
      letters,
      replayer: this.replayer,
      refusedRuns: this.#refusedRuns,
      errors: observation.errors,
    })
    checkpointer.include([progress, links, this.#targetIds, this.#perhapsPushed])
    checkpointer.include([this.#refusedRuns, this.#claims, this.rebuild])
    if (this.snapshots !== undefined) checkpointer.include([this.snapshots])
    if (options.cluster !== undefined) checkpointer.include([options.cluster.part])
    this.#addRoute(undefined)
    for (const route of routes.all) this.#addRoute(route)
  }

  /** Whether {@link open} was called. */
  get isOpened(): boolean {
    return this.#opened !== undefined
  }

  /**
   * Opens the state and the author's resources.
   *
   * @param openTarget calls `open` of the author, once or until it succeeds.
   */
  open(openTarget = (open: () => Promise<void>) => open()): Promise<void> {
    this.#opened ??= this.#open(openTarget)
    return this.#opened
  }

  /**
   * Saves the state and closes what {@link open} opened.
   *
   * @param whenSaved called in between, also if saving failed.
   */
  async close(steps: StopSteps, whenSaved: () => Promise<void>): Promise<void> {
    if (!this.isOpened) return
    const { checkpointer, engine, uncleanShutdown } = this
    const { store, progress } = this.#options
    // Without its state open, there is nothing to save.
    const hasState = this.#hasState
    if (hasState) await steps.take('Saving the state', () => this.#save(steps))
    await whenSaved()
    checkpointer.stop()
    if (hasState && engine.size === 0 && checkpointer.problem === undefined)
      await steps.take('Saving the state', () => uncleanShutdown.note(store, progress.safe))
    await this.closeResources(steps)
  }

  /** A server that is away may come back within the time for work. */
  async #save(steps: StopSteps): Promise<void> {
    for (;;) {
      try {
        return await this.checkpointer.flush(true)
      } catch (error) {
        const { code } = error as StreamConnectorError
        const isWorthWaiting = this.#options.store.lease !== undefined && code === 'STATE_NOT_WRITTEN'
        if (!isWorthWaiting || steps.workMs === 0) throw error
      }
      await delay(systemClock, saveAgainMs)
    }
  }

  /** Starts and writes nothing more, because another copy may be working. */
  halt(): void {
    this.engine.stop()
    this.checkpointer.stop()
    this.deadLetters.stop()
  }

  /** Closes what {@link open} opened, without saving. */
  async closeResources(steps: StopSteps): Promise<void> {
    const { hooks, store } = this.#options
    await steps.take('close()', () => hooks.close?.())
    await steps.take('Closing the state', () => store.close())
  }

  /**
   * The way of stream events that are delivered elsewhere.
   *
   * @param room whether there is room for more of them.
   */
  handingOver(relay: EventRelay, room: Bound): Destination {
    return {
      pipeline: new Pipeline({ ...this.#pipelineOptions, relay }),
      room: new Room([room, this.checkpointer, this.deadLetters], this.engine),
    }
  }

  /** Resumes the dead letters of an earlier process's run of refusals, before any new event. */
  resume(): Promise<void> {
    return this.#refusedRuns.resume()
  }

  /** Runs background work until `signal` aborts: dead-letter replay, expiry, reconciliation, links. */
  runInBackground(signal: AbortSignal): void {
    void this.replayer.run(signal)
    void this.expiryTimer.run(signal)
    void this.reconcile.run(signal)
    void this.links.run(signal)
    void this.rebuild.run(signal)
    void this.deadLetterCheck.run(signal)
    const { clock, onNotice } = this.#options
    this.snapshots?.run(signal)
    void new HangWatch({ clock, onNotice, engine: this.engine }).run(signal)
  }

  /** Drops everything that no hook is working on, because it predates a reset. */
  clear(): void {
    this.#idMap.reset(Math.round(this.#options.clock.monotonic()))
    for (const operation of this.engine.clear()) {
      operation.finish(droppedByReset, droppedByReset)
    }
  }

  /** Status of each route, by name. */
  routeAccounts(): ReadonlyMap<string, RouteAccount> {
    const accounts = this.routes.all.map(
      (route) =>
        [
          route.name,
          {
            ...route.counters.snapshot(),
            ...this.engine.troubleOf(route),
            concurrencyLimit: this.engine.limitOf(route),
          },
        ] as const,
    )
    return new Map(accounts)
  }

  /** Creates the engine of a route, or of events without a route. */
  #addRoute(route: Route | undefined): void {
    const { loaded, limits } = this.#options
    const { delivery } = loaded
    const concurrency = delivery.routes.find(({ name }) => name === route?.name)?.concurrency
    const own =
      concurrency === undefined
        ? delivery
        : { ...delivery, concurrency, batch: { ...delivery.batch, maxInFlight: concurrency } }
    this.snapshots?.add(route)
    this.engine.add(route, {
      delivery: own,
      handler: this.#handlerOf(route),
      listener: this.#reports,
      bucket: limits.ofHooks(route?.name),
      limits,
    })
  }

  /** Creates the hook runner of a route, or of events without a route. */
  #handlerOf(route: Route | undefined): HookRunner {
    const { hooks, loaded, clock, limits, logger, observation, givenUp, lease } = this.#options
    const names = ['transform', 'find', 'create', 'update', 'delete', 'flush'] as const
    return new HookRunner({
      hooks: observation.timings.watch(hooks, names, route?.name),
      delivery: loaded.delivery,
      checkpointer: this.checkpointer,
      idMap: this.#idMap,
      items: this.#items,
      features: this.#features,
      itemFeatures: this.#itemFeatures,
      clock,
      logger,
      stopped: givenUp,
      tracing: observation.tracing,
      limits,
      lease,
    })
  }

  async #open(openTarget: (open: () => Promise<void>) => Promise<void>): Promise<void> {
    const { store, loaded, hooks, logger } = this.#options
    await this.#options.observation.tracing.open()
    const { opening, onOpen } = this.#options
    const { id } = loaded.settings.connector
    const { fresh, isOpenToOthers, warnings = [] } = await openState(store, id, opening)
    this.#hasState = true
    onOpen()
    if (isOpenToOthers === true) {
      logger.error(
        'Any user of this machine can write to the state folder (CONNECTOR_STATE_DIR), which lets them change what the connector does and where it starts. Restrict the folder to the user of the connector (chmod 700)',
      )
    }
    for (const warning of warnings) logger.warn(warning)
    await this.uncleanShutdown.open(store)
    this.#options.progress.knowMap(await store.value(storedValues.idMap), fresh)
    const gone = await recallRoutes(this.routes, { store, logger, idMap: loaded.delivery.idMap })
    for (const route of gone) this.#addRoute(route)
    await this.deadLetterCheck.watch(() => this.deadLetters.open())
    await this.checkpointer.open()
    await this.#refusedRuns.open()
    await this.#stixIdRecords.open(store)
    await this.#targetIds.open(store)
    await this.#perhapsPushed.open(store)
    await this.#claims.open()
    await this.rebuild.open()
    if (loaded.delivery.on.expiryTimer && !loaded.delivery.idMap) {
      logger.warn(
        'CONNECTOR_ON_EXPIRY_TIMER requires the id map (CONNECTOR_ID_MAP): expired entities are not withdrawn',
      )
    }
    await this.links.open(store)
    await this.snapshots?.open()
    await this.#options.files?.open()
    requireHooks(hooks, this.snapshots !== undefined, logger)
    await openTarget(async () => hooks.open?.())
  }
}
