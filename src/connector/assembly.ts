import { Checkpointer } from '../checkpoint/checkpointer.ts'
import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { EventCounters, type Outcome } from '../events/event-counters.ts'
import { Engine } from '../flow/engine.ts'
import { Filter } from '../events/filter.ts'
import { droppedByReset } from '../events/outcomes.ts'
import { type Route } from '../events/route.ts'
import { Routes } from '../events/routes.ts'
import { type RouteAccount } from '../flow/route-account.ts'
import { InFlightLimit } from '../flow/in-flight-limit.ts'
import { heapFrameLimit } from '../stream/heap-frame-limit.ts'
import { CheckpointAge } from '../observe/facts/checkpoint-age.ts'
import { type AssemblyOptions, type AssemblyOwner } from './assembly-options.ts'
import { HangWatch } from '../target/hang-watch.ts'
import { SideWork } from './side-work.ts'
import { DeadLetterBound } from '../dead-letters/dead-letter-bound.ts'
import { DeadLetterCheck } from '../dead-letters/dead-letter-check.ts'
import { DeadLetterWriter } from '../dead-letters/dead-letter-writer.ts'
import { RefusedRuns } from '../dead-letters/refused-runs.ts'
import { HookRunner } from '../target/hook-runner.ts'
import { requireHooks } from '../target/require-hooks.ts'
import { UncleanShutdown } from '../id-map/unclean-shutdown.ts'
import { recallRoutes } from '../id-map/recall-routes.ts'
import { StixIdRecords } from '../id-map/stix-id-records.ts'
import { TargetIds } from '../id-map/target-ids.ts'
import { InternalEvents } from '../intake/internal-events.ts'
import { type PipelineMessage } from '../intake/pipeline-message.ts'
import { Pipeline } from '../intake/pipeline.ts'
import { LinkQueue } from '../links/link-queue.ts'
import { mapValue } from '../session/progress.ts'

/** So many entities of a batch are named where all of them cannot be. */
const maxNamed = 10

/** The stages between a message and its end, joined: pipeline, engine, hooks, checkpoint, bounds. */
export class Assembly {
  readonly counters = new EventCounters()
  readonly routes: Routes
  readonly inFlight: InFlightLimit
  readonly engine: Engine
  readonly pipeline: Pipeline
  readonly checkpointer: Checkpointer
  readonly lastEnd = new UncleanShutdown()
  readonly deadLetters: DeadLetterBound
  readonly deadLetterCheck: DeadLetterCheck
  readonly sideWork: SideWork
  readonly links: LinkQueue
  readonly #letters: DeadLetterWriter
  readonly #refusedRuns: RefusedRuns
  readonly #stixIdRecords: StixIdRecords
  readonly #targetIds = new TargetIds()
  readonly #checkpointAge: CheckpointAge
  readonly #options: AssemblyOptions
  readonly #owner: AssemblyOwner
  #opened: Promise<void> | undefined
  #hasState = false
  /** When {@link clear} was called last, as operations note when they were pushed. */
  #clearedMs = Number.NEGATIVE_INFINITY

  constructor(options: AssemblyOptions, owner: AssemblyOwner) {
    const { clock, random, logger, store, hooks, onNotice } = options
    const { delivery } = options.loaded
    const listenDelete = options.loaded.settings.connector.live_stream_listen_delete
    const clean = (text: string) => options.redactor.clean(text)
    this.#options = options
    this.#owner = owner
    // A frame of half the size that the heap can hold fills the inFlight alone: two of the largest are one too many.
    const maxBytes = Math.min(delivery.queue.maxBytes, heapFrameLimit() / 2)
    this.inFlight = new InFlightLimit({ ...delivery.queue, maxBytes })
    this.deadLetters = new DeadLetterBound(delivery.deadLetters.max, store, clock, logger, () =>
      this.checkpointer.flush(),
    )
    this.deadLetterCheck = new DeadLetterCheck({
      store,
      clock,
      onHealth: (error) =>
        onNotice(
          error === undefined ? { kind: 'dead-letters-readable' } : { kind: 'dead-letters-not-read', error },
        ),
    })
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
        const { links } = this
        const ids = this.#targetIds.values(isUnsure)
        const runs = this.#refusedRuns.values()
        return new Map([...owner.progress.values(), ...links.values(isUnsure), ...ids, ...runs])
      },
      safe: () => owner.progress.safe,
      onHealth: (problem) => this.#onStateHealth(problem),
      onReadHealth: (problem) => this.#onReadHealth(problem),
    })
    this.#stixIdRecords = new StixIdRecords(this.checkpointer)
    this.#refusedRuns = new RefusedRuns({
      ...options,
      checkpointer: this.checkpointer,
      clean,
      takeBack: (ids, onEnded) => this.sideWork.replayer.takeBack(ids, onEnded),
      resume: (route, run, reason) => this.engine.resumeRefusals(route, run, reason),
      stopped: owner.givenUp,
    })
    const { counters, checkpointer, inFlight } = this
    this.#letters = new DeadLetterWriter({
      checkpointer,
      clock,
      clean,
      onDeadLetter: (letter) => {
        this.deadLetters.add()
        onNotice({ kind: 'dead-lettered', ...letter })
      },
      onSuspect: (letter) => this.#refusedRuns.add(letter),
      onFailedAgain: (operation, error, atMs) => this.sideWork.replayer.failedAgain(operation, error, atMs),
    })
    this.routes = new Routes(delivery.routes, counters, clock)
    this.engine = new Engine({
      delivery,
      handler: this.#handlerOf(undefined),
      counters,
      clock,
      random,
      logger,
      bucket: options.limits.ofHooks(),
      takesTokens: () => options.limits.countsHooks(),
      bulk: hooks.flush !== undefined,
    })
    for (const route of this.routes.all) this.#addRoute(route)
    const filter = new Filter(delivery.filter, clock)
    this.pipeline = new Pipeline({
      counters,
      inFlight,
      engine: this.engine,
      filter,
      routes: this.routes,
      checkpointer,
      delivery,
      listenDelete,
      clock,
      ownUserId: owner.ownUserId,
      isEcho: (event) => this.links.isEcho(event),
      trace: (name, position, isAlone) => owner.tracing.begin(name, position, isAlone),
      onReference: owner.onReference,
      onUnknownEvent: (name) =>
        logger.warn('The platform sends events of a kind that is not known here: they are skipped', {
          event: name,
        }),
      clean,
      letters: this.#letters,
    })
    const corrections = new InternalEvents({
      counters,
      inFlight,
      push: (operation) => this.engine.push(operation),
      filter,
      routes: this.routes,
      delivery,
      listenDelete,
      clock,
      clean,
      touch: () => checkpointer.touch(),
    })
    this.sideWork = new SideWork({
      ...options,
      delivery,
      listenDelete,
      checkpointer,
      knowledge: owner.knowledge,
      state: owner.state,
      isCatchingUp: () => owner.progress.isCatchingUp,
      // Not that of the dead letters: where there are too many of them, replaying is the way out.
      room: () => inFlight.room() ?? checkpointer.room(),
      roomForEvents: () => this.room(),
      hurry: () => this.engine.hurry(),
      open: () => this.open(),
      replay: (letter, onSettled, isFirst) => this.pipeline.replay(letter, onSettled, isFirst),
      expire: (record, onEnded) => corrections.expire(record, onEnded),
      repair: (event, repair, onEnded) => corrections.repair(event, repair, onEnded),
      onRemoved: () => this.deadLetters.remove(),
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

  /** Whether the state was opened, so that it can be saved. */
  get hasState(): boolean {
    return this.#hasState
  }

  /** Opens the state, and what the hooks need. */
  open(): Promise<void> {
    this.#opened ??= this.#open()
    return this.#opened
  }

  /** Takes back what an earlier process had refused for all that came, before anything else is taken in. */
  resume(): Promise<void> {
    return this.#refusedRuns.resume()
  }

  /** Does what no event asks for, until `signal` is aborted: replays dead letters, withdraws what has expired. */
  runBeside(signal: AbortSignal): void {
    this.sideWork.run(signal)
    void this.links.run(signal)
    void this.deadLetterCheck.run(signal)
    const { clock, onNotice } = this.#options
    void new HangWatch({ clock, onNotice, hanging: () => this.engine.hanging() }).run(signal)
  }

  /** Takes one message to its end. */
  async process(message: PipelineMessage): Promise<Outcome> {
    await this.open()
    await this.resume()
    await this.room()
    return new Promise((resolve) => {
      this.pipeline.accept(message, undefined, resolve)
      this.engine.hurry()
    })
  }

  /** Takes many messages to their end, as the stream would bring them. */
  async processAll(messages: AsyncIterable<PipelineMessage>): Promise<void> {
    await this.open()
    await this.resume()
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
    const wait = this.inFlight.room() ?? this.checkpointer.room() ?? this.deadLetters.room()
    if (wait === undefined) return undefined
    this.engine.hurry()
    return wait.then(() => this.room())
  }

  /** Drops what no hook is at work on: it is of a life that somebody has reset. */
  clear(): void {
    this.#clearedMs = Math.round(this.#options.clock.monotonic())
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
            ...route.counters.snapshot(),
            ...this.engine.troubleOf(route),
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
    const { hooks, loaded, clock, limits, logger, onNotice } = this.#options
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
      mayHavePushed: (operation) => this.lastEnd.mayHavePushed(operation),
      stixIdRecords: this.#stixIdRecords,
      targetIds: this.#targetIds,
      newest: () => progress.ledger.newest,
      isOfFormerLife: ({ pushedMs }) => pushedMs <= this.#clearedMs,
      isStale: (operation, record) => this.sideWork.replayer.isStale(operation, record),
      traceBatch: (operations) => tracing.batch(operations),
      links: this.links,
      makesRequests: () => limits.countsRequests,
      onOverdue: (hook, operations) =>
        onNotice({
          kind: 'hook-overdue',
          hook,
          entityIds: operations.slice(0, maxNamed).map(({ entity }) => entity.id),
          limitMs: loaded.delivery.hookTimeoutMs!,
          route: route?.name,
        }),
      onChanged: (record) => this.sideWork.reconciliation.noteChanged(record),
      onRetry: ({ kind, entity }, { reason }) =>
        errors.note({ what: `${kind}, tried again`, text: reason, entityId: entity.id }),
      onDeadLetter: (operation, verdict, isSuspect) => this.#letters.bury(operation, verdict, isSuspect),
      onOutage: (reason, name) =>
        onNotice(
          reason === undefined ? { kind: 'resumed', route: name } : { kind: 'paused', reason, route: name },
        ),
      onRefusing: (reason, name) => {
        this.#refusedRuns.takeBack(name, reason)
        onNotice({ kind: 'refusing', reason, route: name })
      },
      onAskedPause: (pause, name) => onNotice({ kind: 'asked-to-wait', ...pause, route: name }),
      onTaken: (name) => this.#refusedRuns.taken(name),
      onStop,
    })
  }

  async #open(): Promise<void> {
    const { store, loaded, hooks, logger } = this.#options
    await this.#owner.tracing.open()
    const { fresh, isOpenToOthers } = await store.open(loaded.settings.connector.id)
    this.#hasState = true
    if (isOpenToOthers === true) {
      logger.error(
        'Every user of this machine may write to the state folder (CONNECTOR_STATE_DIR), and so change what the connector does and where it begins. Let it belong to the connector alone (chmod 700)',
      )
    }
    await this.lastEnd.open(store, this.#options.clock.now())
    this.#owner.progress.knowMap(await store.value(mapValue), fresh)
    const gone = await recallRoutes(this.routes, { store, logger, idMap: loaded.delivery.idMap })
    for (const route of gone) this.#addRoute(route)
    await this.deadLetterCheck.watch(() => this.deadLetters.open())
    await this.checkpointer.open()
    await this.#refusedRuns.open()
    await this.#stixIdRecords.open(store)
    await this.#targetIds.open(store)
    if (loaded.delivery.on.expiryTimer && !loaded.delivery.idMap) {
      logger.warn(
        'CONNECTOR_ON_EXPIRY_TIMER needs the id map (CONNECTOR_ID_MAP): nothing is withdrawn by time',
      )
    }
    await this.links.open(store)
    requireHooks(hooks, logger)
    await hooks.open?.()
  }

  #onReadHealth(problem: StreamConnectorError | undefined): void {
    this.#options.onNotice(
      problem === undefined ? { kind: 'state-readable' } : { kind: 'state-not-read', error: problem },
    )
  }

  #onStateHealth(problem: StreamConnectorError | undefined): void {
    this.#options.onNotice(
      problem === undefined ? { kind: 'state-restored' } : { kind: 'state-not-written', error: problem },
    )
  }
}
