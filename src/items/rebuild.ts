import { type CommitPart } from '../checkpoint/checkpointer.ts'
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

/** How often it is looked whether all is told, in milliseconds. */
const lookEveryMs = 1000

/** Pause before what failed at the end is tried again, in milliseconds. */
const retryEveryMs = 60_000

/** So often the end of a rebuild is tried by one process. */
const maxTries = 5

/**
 * `telling`: claims come to be known, and nothing is removed from the target for want of one. `clearing`: all claims are
 * known; what was not removed is, where nothing claims it.
 */
type Stage = 'telling' | 'clearing'

/**
 * Finds out again which entities claim what the target holds, after the state was lost: everything that exists is told once
 * more. Until then a value that nothing seems to claim may be claimed all the same, so nothing leaves the target. Afterwards
 * what was kept for that reason goes, and the target's list, where there is one, is compared with the claims.
 *
 * It is in the state how far this is, so that a process that is killed in the middle goes on with it.
 */
export class Rebuild implements CommitPart {
  readonly #options: RebuildOptions
  #stage: Stage | undefined
  #isChanged = false
  #tries = 0

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
   * The claims are not known.
   *
   * @param isToldAgain whether everything that exists is about to be told.
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
   * Somebody has made the connector begin elsewhere.
   *
   * @param isWhole whether everything that exists is about to be told.
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

  /** @returns how long to wait before the next look, in milliseconds. */
  async #look(signal: AbortSignal): Promise<number> {
    const { progress, checkpointer, onNotice } = this.#options
    // The platform has no catch-up of this stream.
    if (this.#stage === 'telling' && !progress.mayCatchUp) this.begin(false)
    if (this.#stage === 'telling' && progress.hasReadAll) {
      progress.mapIsComplete = true
      this.#tries = 0
      this.#move('clearing')
    }
    if (this.#stage !== 'clearing') return lookEveryMs
    const isDone = await this.#clear(signal).catch(() => false)
    // Somebody may have begun it anew.
    if (signal.aborted || this.#stage !== 'clearing') return lookEveryMs
    if (!isDone && ++this.#tries < maxTries) return retryEveryMs
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

  /** What was not removed at a route, as an entity that goes: its claims are what was deferred. */
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

/** How the connector starts, as the session says. */
export interface RebuildStart {
  readonly lostClaims?: 'told-again' | 'unknown' | undefined
  readonly isAnew: boolean
}

/** How far the connector has come, and whether a rebuild goes on. */
export interface RebuildProgress {
  /** Everything that the platform had when it was asked last is told and finished. */
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
  /** Compares the target's list with the claims. Undefined where it has none. */
  readonly compare: ((signal: AbortSignal) => Promise<unknown>) | undefined
  readonly onNotice: (notice: ConnectorNotice) => void
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()
