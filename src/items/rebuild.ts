import { type CommitPart } from '../checkpoint/commit-part.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type Repair } from '../events/operation.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type Claims } from './claims.ts'
import { deferralEvent } from './deferral.ts'

/** How often to check whether everything has been sent, in milliseconds. */
const lookEveryMs = 1000

/** Pause before a failed end is retried, in milliseconds. */
const retryEveryMs = 60_000

/** Maximum number of attempts of one process to end a rebuild. */
const maxAttempts = 5

/**
 * `telling`: the platform sends everything, and nothing is withdrawn for lack of a claim. `clearing`: all claims are
 * known; kept items without a claim are withdrawn.
 */
type Stage = 'telling' | 'clearing'

/**
 * Rebuilds the claims on the target's items after the state was lost: everything that exists is sent once
 * more. Until then, a value without a visible claim may still be claimed, so nothing is withdrawn from the
 * target. Afterwards, the items kept for that reason are withdrawn if nothing claims them, and the target's
 * list, if there is one, is compared with the claims.
 *
 * The state stores the progress, so that the next process continues after a kill.
 */
export class Rebuild implements CommitPart {
  readonly #options: RebuildOptions
  #stage: Stage | undefined
  #isChanged = false
  #attempts = 0

  constructor(options: RebuildOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    const said = await this.#options.store.value(storedValues.rebuild)
    this.#move(said === 'telling' || said === 'clearing' ? said : undefined)
  }

  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (!this.#isChanged && !isUnsure) return nothing
    this.#isChanged = false
    return new Map([[storedValues.rebuild, this.#stage]])
  }

  /**
   * The claims are unknown.
   *
   * @param isToldAgain whether everything that exists is about to be sent.
   */
  begin(isToldAgain: boolean): void {
    this.#options.claims.use()
    this.#move(isToldAgain ? 'telling' : undefined)
    this.#options.onNotice({ kind: 'claims-unknown', isToldAgain })
  }

  /** The connector starts. @param isWhole as of {@link restart}. */
  start({ lostClaims, isAnew }: RebuildStart, isWhole: boolean): void {
    if (lostClaims !== undefined) this.begin(lostClaims === 'told-again')
    else if (isAnew) this.restart(isWhole)
  }

  /**
   * Someone reset the connector.
   *
   * @param isWhole whether everything that exists is about to be sent.
   */
  restart(isWhole: boolean): void {
    const { claims, progress } = this.#options
    const isUnfinished = this.#stage === 'telling' || (claims.isInUse && !progress.mapIsComplete)
    if (isUnfinished && (isWhole || this.#stage === 'telling')) this.begin(isWhole)
  }

  /** Runs until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const look = () => this.#look(signal)
    return repeatUntilAborted(look, { clock, everyMs: lookEveryMs, signal, isAtOnce: true })
  }

  /** @returns how long to wait before the next check, in milliseconds. */
  async #look(signal: AbortSignal): Promise<number> {
    const { progress, checkpointer, onNotice } = this.#options
    // The platform cannot catch up this stream.
    if (this.#stage === 'telling' && !progress.mayCatchUp) this.begin(false)
    if (this.#stage === 'telling' && progress.hasReadAll) {
      progress.mapIsComplete = true
      this.#attempts = 0
      this.#move('clearing')
    }
    if (this.#stage !== 'clearing') return lookEveryMs
    const isDone = await this.#clear(signal).catch(() => false)
    // Someone may have restarted it.
    if (signal.aborted || this.#stage !== 'clearing') return lookEveryMs
    if (!isDone && ++this.#attempts < maxAttempts) return retryEveryMs
    this.#move(undefined)
    checkpointer.touch()
    onNotice({ kind: 'claims-known', isCleared: isDone })
    return lookEveryMs
  }

  /** @returns whether everything was done. */
  async #clear(signal: AbortSignal): Promise<boolean> {
    const { checkpointer, routes, compare } = this.#options
    await checkpointer.flush()
    for (const route of [undefined, ...routes.all.map(({ name }) => name)]) {
      const outcome = await this.#removeDeferred(route, signal)
      if (outcome.kind === 'dead-lettered') return false
    }
    await checkpointer.flush()
    await compare?.(signal)
    return true
  }

  /** The kept items of a route, as an entity that is withdrawn: its claims are the deferred ones. */
  #removeDeferred(route: string | undefined, signal: AbortSignal): Promise<Outcome> {
    const { events, engine } = this.#options
    const ended = Promise.withResolvers<Outcome>()
    const repair: Repair = { kind: 'deferred', route, isOvertaken: () => this.#stage !== 'clearing' }
    events.repair(deferralEvent, repair, ended.resolve)
    engine.hurry()
    return raceWithSignal(signal, () => ended.promise)
  }

  #move(stage: Stage | undefined): void {
    this.#isChanged = true
    this.#stage = stage
    this.#options.progress.isRebuilding = stage === 'telling'
  }
}

/** How the connector starts, according to the session. */
export interface RebuildStart {
  readonly lostClaims?: 'told-again' | 'unknown' | undefined
  readonly isAnew: boolean
}

/** The connector's progress, and whether a rebuild is running. */
export interface RebuildProgress {
  /** Everything the platform had when last asked has been sent and is finished. */
  readonly hasReadAll: boolean
  readonly mayCatchUp: boolean
  mapIsComplete: boolean
  isRebuilding: boolean
}

export interface RebuildOptions {
  readonly store: Pick<StateStore, 'value'>
  readonly checkpointer: { flush(): Promise<void>; touch(): void }
  readonly claims: Claims
  readonly progress: RebuildProgress
  readonly routes: { readonly all: readonly { readonly name: string }[] }
  readonly clock: Clock
  readonly engine: { hurry(): void }
  readonly events: { repair(event: StreamEvent, repair: Repair, onEnded: (outcome: Outcome) => void): void }
  /** Compares the target's list with the claims. Undefined without a list. */
  readonly compare: ((signal: AbortSignal) => Promise<unknown>) | undefined
  readonly onNotice: (notice: ConnectorNotice) => void
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()
