import { Checkpointer } from '../checkpoint/checkpointer.ts'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Verdict } from '../errors/verdict.ts'
import { Books, type Outcome } from '../flow/books.ts'
import { Engine } from '../flow/engine.ts'
import { Filter } from '../flow/filter.ts'
import { type TokenBucket } from '../flow/token-bucket.ts'
import { Window } from '../flow/window.ts'
import { CheckpointAge } from '../observe/checkpoint-age.ts'
import { type HookTimings } from '../observe/hook-timings.ts'
import { type LoadedSettings } from '../settings/load-settings.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'
import { DeadLetterBound } from './dead-letter-bound.ts'
import { HookRunner } from './hook-runner.ts'
import { type ConnectorHooks } from './hooks.ts'
import { type ConnectorNotice } from './notices.ts'
import { Pipeline, type PipelineMessage } from './pipeline.ts'
import { mapValue, type Progress } from './progress.ts'
import { droppedByReset, Replayer } from './replayer.ts'

/** What an {@link Assembly} is put together from. */
export interface AssemblyOptions {
  readonly hooks: ConnectorHooks
  readonly loaded: LoadedSettings
  readonly store: StateStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Shared with the HTTP client of the author. */
  readonly bucket: TokenBucket
  /** Whether each call of a hook takes a token of the bucket. */
  readonly takesTokens: () => boolean
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
  readonly timings: HookTimings
}

/** The stages between a message and its end, joined: pipeline, engine, hooks, checkpoint, bounds. */
export class Assembly {
  readonly books = new Books()
  readonly window: Window
  readonly engine: Engine
  readonly pipeline: Pipeline
  readonly checkpointer: Checkpointer
  readonly deadLetters: DeadLetterBound
  readonly replayer: Replayer
  readonly #checkpointAge: CheckpointAge
  readonly #options: AssemblyOptions
  readonly #progress: Progress
  #opened: Promise<void> | undefined

  constructor(options: AssemblyOptions, owner: AssemblyOwner) {
    const { clock, random, logger, store, hooks, onNotice } = options
    const { delivery } = options.loaded
    this.#options = options
    this.#progress = owner.progress
    this.window = new Window(delivery.queue)
    this.deadLetters = new DeadLetterBound(delivery.deadLetters.max, store, clock, logger)
    this.#checkpointAge = new CheckpointAge(clock)
    this.checkpointer = new Checkpointer({
      store,
      clock,
      random,
      values: () => {
        this.#checkpointAge.begins(this.checkpointer.problem === undefined)
        return owner.progress.values()
      },
      onHealth: (problem) => this.#onStateHealth(problem),
    })
    const handler = new HookRunner({
      hooks: owner.timings.watch(hooks, ['transform', 'find', 'create', 'update', 'delete', 'flush']),
      delivery,
      checkpointer: this.checkpointer,
      clock,
      logger,
      stopped: owner.givenUp,
      mapIsComplete: () => owner.progress.mapIsComplete,
      isStale: (operation, record) => this.replayer.isStale(operation, record),
      onDeadLetter: (operation, verdict) => this.pipeline.bury(operation, verdict),
      onOutage: (reason) => onNotice(reason === undefined ? { kind: 'resumed' } : { kind: 'paused', reason }),
      onStop: owner.onStop,
    })
    const { books, checkpointer, window } = this
    const bulk = hooks.flush !== undefined
    this.engine = new Engine({
      delivery,
      handler,
      books,
      clock,
      random,
      logger,
      bucket: options.bucket,
      takesTokens: options.takesTokens,
      bulk,
    })
    this.pipeline = new Pipeline({
      books,
      window,
      engine: this.engine,
      filter: new Filter(delivery.filter),
      checkpointer,
      delivery,
      clock,
      ownUserId: owner.ownUserId,
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

  /** Takes one message to its end. */
  async process(message: PipelineMessage): Promise<Outcome> {
    await this.open()
    await this.room()
    return new Promise((resolve) => {
      this.pipeline.accept(message, undefined, resolve)
      this.engine.hurry()
    })
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
      for (const delivery of operation.replaced ?? []) delivery.finish(droppedByReset)
      operation.delivery.finish(droppedByReset)
    }
  }

  async #open(): Promise<void> {
    const { store, loaded, hooks, logger } = this.#options
    const { fresh } = await store.open(loaded.settings.connector.id)
    this.#progress.mapIsComplete = fresh || (await store.value(mapValue)) === 'complete'
    await this.deadLetters.open()
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
