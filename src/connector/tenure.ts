import { type KyInstance } from 'ky'
import { requireDivisible } from '../cluster/require-divisible.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError, type Verdict } from '../errors/verdict.ts'
import { type PlatformKnowledge } from '../lookups/platform-knowledge.ts'
import { type CountedPlatform } from '../observe/facts/counted-platform.ts'
import { type ClusterFacts } from '../observe/facts/cluster-facts.ts'
import { type StreamWatch } from '../observe/facts/stream-watch.ts'
import { type Observation } from '../observe/observation.ts'
import { redisLibrary } from '../redis/redis-library.ts'
import { keepTrying } from '../session/keep-trying.ts'
import { type LazyLookups } from '../session/lazy-lookups.ts'
import { Progress } from '../session/progress.ts'
import { Session } from '../session/session.ts'
import { copyName } from '../store/copy-name.ts'
import { LeaseGuard } from '../store/lease-guard.ts'
import { type StateWait } from '../store/state-store.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'
import { type Clock } from '../util/clock.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { Assembly } from './assembly.ts'
import { clusterStages } from './cluster-stages.ts'
import { type FactSources } from './connector-facts.ts'
import { abandonWork } from './finish-work.ts'
import { GivenMessages } from './given-messages.ts'
import { type Lifecycle } from './lifecycle.ts'
import { openTarget } from './open-target.ts'
import { type StopSteps } from './stop-steps.ts'
import { StreamReading } from './stream-reading.ts'

/**
 * The work of a connector from the opening of its state to the end, or until another copy takes over: the stages
 * that events pass through, and everything known about them. A copy that leads again begins with a new one.
 */
export class Tenure implements FactSources {
  readonly loaded: LoadedSettings
  readonly clock: Clock
  readonly lifecycle: Lifecycle
  readonly platform: CountedPlatform
  readonly stream: StreamWatch
  readonly lookups: LazyLookups
  readonly progress = new Progress()
  readonly lease = new LeaseGuard()
  readonly session: Session
  readonly assembly: Assembly
  /** Delivers messages that are handed in. */
  readonly messages: GivenMessages
  /** Reads the live stream. */
  readonly reading: StreamReading
  readonly #options: TenureOptions
  /** Aborts when another copy may be working. */
  readonly #lost = new AbortController()
  readonly #whenLost = Promise.withResolvers<void>()
  readonly #givenUp: AbortSignal
  #leader: string | undefined

  constructor(options: TenureOptions) {
    const { loaded, clock, hooks, files } = options
    this.#options = options
    this.loaded = loaded
    this.clock = clock
    this.lifecycle = options.lifecycle
    this.platform = options.platform
    this.stream = options.observation.stream
    this.lookups = options.lookups
    this.#givenUp = AbortSignal.any([options.givenUp, this.#lost.signal])
    this.session = new Session({
      ...options,
      settings: loaded.settings.connector,
      // Fields of the author's class come after this.
      holdsItems: () => hooks.replaceAll !== undefined || files !== undefined,
      save: async () => {
        await this.assembly.checkpointer.flush(true)
        return this.progress.text()
      },
      onReset: (state) => this.reading.restart(state),
    })
    const shared = { ...options, progress: this.progress, givenUp: this.#givenUp }
    this.assembly = new Assembly({
      ...shared,
      lease: this.lease,
      opening: {
        signal: AbortSignal.any([options.stopping, this.#lost.signal]),
        onWait: (wait) => this.#waits(wait),
      },
      onOpen: () => this.#opened(),
    })
    this.messages = new GivenMessages(this.assembly, shared)
    this.reading = new StreamReading({
      ...shared,
      assembly: this.assembly,
      session: this.session,
      stream: this.stream,
    })
  }

  /** The copy that leads, if several share the state. */
  get leader(): string | undefined {
    return this.#leader
  }

  get clusterFacts(): ClusterFacts | undefined {
    return this.#options.cluster?.facts()
  }

  /** Aborts when work in flight is abandoned. */
  get givenUp(): AbortSignal {
    return this.#givenUp
  }

  /** Why it is over; undefined if it is not. */
  get loss(): unknown {
    return this.#lost.signal.reason
  }

  /** Resolves when another copy may be working. */
  get whenLost(): Promise<void> {
    return this.#whenLost.promise
  }

  /**
   * Resolves once the stream is being read.
   *
   * @throws if that is impossible, or if it is over already: then there is a {@link loss}.
   */
  async begin(): Promise<void> {
    try {
      await this.#begin()
    } catch (error) {
      if (this.#isOverWith(error)) this.#lose(error)
      throw error
    }
  }

  /** Closes everything without saving, because another copy does that now. */
  async leave(steps: StopSteps): Promise<void> {
    const { assembly, reading } = this
    await steps.take('Ending the stream', () => reading.close())
    await steps.take('Abandoning work', () => abandonWork(assembly.engine, steps.workMs, this.clock))
    this.messages.stop()
    this.stream.closed()
    await assembly.closeResources(steps)
  }

  async #begin(): Promise<void> {
    const { hooks, files, stopping, lifecycle, cluster } = this.#options
    const { assembly, reading } = this
    const signal = AbortSignal.any([stopping, this.#lost.signal])
    signal.throwIfAborted()
    if (cluster !== undefined) {
      requireDivisible(hooks, this.loaded.delivery, files !== undefined)
      // Without it, the copy would wait for Redis forever.
      await redisLibrary()
    }
    lifecycle.waitFor('the target to be ready')
    await assembly.open((open) => openTarget(open, this.#options, signal))
    if (cluster === undefined) {
      lifecycle.waitFor('the platform')
      await reading.prepare(signal)
      lifecycle.waitFor('the live stream')
      await reading.untilReadable(signal)
    }
    lifecycle.waitFor('the target')
    const check = async () => hooks.check?.(signal)
    await keepTrying(check, 'The target is not ready yet', this.#options, signal, () => true)
    lifecycle.waitFor(undefined)
    await assembly.resume()
    signal.throwIfAborted()
    if (cluster === undefined) {
      reading.begin()
      void this.session.run(signal)
    } else {
      lifecycle.waitFor('the platform')
      await cluster.begin(clusterStages(this, this.#options, signal), signal, (error) => this.#fails(error))
      lifecycle.waitFor(undefined)
    }
    lifecycle.move('running')
    assembly.runInBackground(signal)
  }

  #waits(wait: StateWait): void {
    const { lifecycle, logger, onNotice } = this.#options
    if (wait.for === 'server') {
      lifecycle.waitFor('the server of its state')
      logger.error('The state cannot be opened yet; retrying', { error: describeError(wait.error) })
      return
    }
    this.#leader = wait.holder
    if (lifecycle.state === 'starting') lifecycle.move('standby')
    lifecycle.waitFor(undefined)
    onNotice({ kind: 'standby', leader: wait.holder })
  }

  #opened(): void {
    const { lifecycle, store } = this.#options
    if (lifecycle.state === 'standby') lifecycle.move('starting')
    this.#leader = store.lease === undefined ? undefined : copyName()
    this.lease.guard(store.lease, (error) => this.#lose(error))
  }

  #lose(error: unknown): void {
    this.assembly.halt()
    this.#lost.abort(error)
    this.#whenLost.resolve()
  }

  #fails(error: Error): void {
    if (this.#isOverWith(error)) this.#lose(error)
    else this.#options.onFailure(error)
  }

  /**
   * Whether the server of the state failed after the state was opened. Opening it again waits for the server, or finds
   * out what a person must fix.
   */
  #isOverWith(error: unknown): boolean {
    if (this.#options.store.lease === undefined || !isStreamConnectorError(error)) return false
    // Unlike a state on the platform that cannot be read.
    const isUnreadable = error.code === 'STATE_UNREADABLE' && error.cause !== undefined
    return isUnreadable || error.code === 'STATE_NOT_WRITTEN'
  }
}

export interface TenureOptions extends RuntimeOptions {
  readonly lifecycle: Lifecycle
  readonly observation: Observation
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  readonly platform: CountedPlatform
  readonly lookups: LazyLookups
  readonly knowledge: PlatformKnowledge
  readonly ownUser: OwnUser
  /** Aborts when the connector begins to stop. */
  readonly stopping: AbortSignal
  /** Aborts when it abandons work in flight. */
  readonly givenUp: AbortSignal
  readonly onStop: (verdict: Verdict) => void
  /** Something that a person must fix stops the connector. */
  readonly onFailure: (error: Error) => void
}
