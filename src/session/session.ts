import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import {
  holdsItems,
  parsePlatformState,
  samePlatformState,
  unreadableState,
  type PlatformState,
  type ReadPlatformState,
} from '../opencti/platform-state.ts'
import { type Platform } from '../opencti/platform.ts'
import { type ConnectorSettings } from '../settings/schemas/connector-settings.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock, systemClock } from '../util/clock.ts'
import { parsedJson } from '../util/json-text.ts'
import { type Logger } from '../util/logger.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { Beginning } from './beginning.ts'
import { type SessionStart } from './session-start.ts'
import { CopyWatch, type OtherRun } from './copy-watch.ts'
import { type MovedPosition, movedPosition } from './moved-position.ts'
import { isTroubleOfPlatform, keepTrying } from './keep-trying.ts'
import { readLocal, readRemote, whileRunning } from './read-state.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Same as the official client, in milliseconds. */
const pingEveryMs = 40_000

/** Maximum number of unanswered states to remember. */
const maxUnanswered = 16

/** Replaces the state when it was reset here rather than on the platform: start as configured. */
export const resetState = '{}'

/**
 * The connector's session with the platform: registration, pings, and state. The platform's copy of the state
 * is the one operators see, reset, and edit, so their changes override ours; otherwise ours is newer.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #beginning: Beginning
  #isFailing = false
  /** A ping was not answered; the platform may have processed it. */
  #isUncertain = false
  /** What the platform may have: the known state, then those sent without an answer. */
  #pushed: readonly string[] = []
  /** Resets noticed but not applied yet. */
  #resetsUnderWay = 0
  /** Not every token may read the state. */
  #mayRead = true
  #moved: MovedPosition | undefined
  readonly #copies: CopyWatch
  /** The last push of this process: it carries no signature. */
  #isEnding = false

  constructor(options: SessionOptions) {
    const { platform, clock } = options
    this.#options = options
    this.#beginning = new Beginning(options)
    this.#copies = new CopyWatch(() => platform.nowMs ?? clock.now())
  }

  /** Position someone else had written to the platform at the last check; undefined if no one had. */
  get moved(): MovedPosition | undefined {
    return this.#moved
  }

  /** Machine running another copy of this connector; undefined if none is known. */
  get copy(): string | undefined {
    return this.#copies.copy
  }

  /**
   * Registers, waiting for the platform if necessary, and determines where to start.
   *
   * @throws StateError if there is a state that cannot be read: starting without it would send everything
   *   again.
   */
  async open(signal: AbortSignal): Promise<SessionStart> {
    const { store } = this.#options
    let registered = await this.#register(signal)
    // Before the ping: newer platforms fail on a non-JSON state, and again on the next one.
    readRemote(registered)
    // One ping before the stream opens, which echoes the current state. A reset made while no client was
    // connected stays flagged until a ping has seen it, and would look like a second reset later (OpenCTI
    // platform, domain/connector.ts).
    const echoed = await this.#patiently(
      () => this.#pingOrRegister(registered ?? 'null', signal),
      'The platform did not answer the first ping',
      signal,
    )
    if (!samePlatformState(echoed, registered)) registered = echoed
    this.#pushed = [registered ?? 'null']
    const local = await store.value(storedValues.state)
    const pushed = parsePushed(await store.value(storedValues.pushed))
    const remote = readRemote(registered)
    const other = this.#copies.begin(registered, pushed)
    const isStillOurs = pushed.length === 0 || pushed.some((text) => isStill(text, registered))
    // What another run has passed may never have reached our target, so only a person can move us.
    if (local !== undefined && (isStillOurs || (other !== undefined && remote?.startFrom !== undefined))) {
      const state = readLocal(local)
      this.#noticeOtherRun(other, !isStillOurs)
      if (state !== undefined)
        return {
          state: this.#beginning.endingByNow(state),
          isAnew: false,
          isTaken: false,
          source: 'local',
          isReset: false,
        }
    }
    this.#noticeOtherRun(other, false)
    const movedFrom = local === resetState ? undefined : parsePlatformState(local)?.startFrom
    if (remote?.startFrom !== undefined && local !== resetState) {
      if (local === undefined && (holdsItems(remote) || this.#options.holdsItems())) return this.#lost(remote)
      const isAnew = local !== undefined
      return {
        state: this.#beginning.endingByNow(isAnew ? remote : this.#beginning.withWholeCatchUp(remote)),
        isAnew,
        isTaken: !isAnew,
        source: 'platform',
        isReset: false,
        movedFrom,
      }
    }
    return {
      state: this.#beginning.first(remote),
      isAnew: local !== undefined,
      isTaken: false,
      source: 'settings',
      // A connector that was never pinged has none.
      isReset: registered === '',
      movedFrom,
    }
  }

  /** Whether the platform sends everything that exists after this start. */
  isWhole(state: PlatformState): boolean {
    return this.#beginning.isWhole(state)
  }

  /** The platform has a position, but there is no record here of what the target holds. */
  #lost(remote: ReadPlatformState): SessionStart {
    const whole = this.#beginning.whole(remote)
    const found = { isAnew: false, isTaken: true, isReset: false }
    if (whole !== undefined) return { ...found, state: whole, source: 'settings', lostClaims: 'told-again' }
    const state = this.#beginning.endingByNow(this.#beginning.withWholeCatchUp(remote))
    return { ...found, state, source: 'platform', lostClaims: 'unknown' }
  }

  /** Pings until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    return repeatUntilAborted(() => this.ping(signal), { clock, everyMs: pingEveryMs, signal })
  }

  /** Sends one ping with the newest durable state. Reports failures, never throws. */
  async ping(signal: AbortSignal): Promise<void> {
    try {
      await this.#ping(signal)
      if (this.#isFailing) this.#options.onNotice({ kind: 'ping-restored' })
      this.#isFailing = false
    } catch (error) {
      if (signal.aborted) return
      if (!isStreamConnectorError(error)) throw error
      if (!this.#isFailing) this.#options.onNotice({ kind: 'ping-failed', error })
      this.#isFailing = true
      if (error.code === 'PLATFORM_UNREACHABLE') this.#isUncertain = true
      if ('problem' in error && error.problem === 'unknown-connector') await this.#registerAgain(signal)
    }
  }

  /**
   * Sends the last ping of this process, with an unsigned state.
   *
   * @param limitMs time for the platform to answer, by the machine's clock.
   */
  async pingLast(limitMs: number): Promise<void> {
    this.#isEnding = true
    const late = new AbortController()
    const cancel = systemClock.schedule(limitMs, () => late.abort())
    await this.ping(late.signal)
    cancel()
  }

  async #ping(signal: AbortSignal): Promise<void> {
    const { platform, settings, store } = this.#options
    // Another copy may lead, and have told the platform a later position.
    if (store.lease?.isHeld === false) return
    if (this.#resetsUnderWay > 0) return this.#echo(signal)
    const saved = await this.#options.save()
    const sent = this.#isEnding ? saved : this.#copies.signed(saved)
    // After a crash, the platform may have any of these: the last one it confirmed, or any sent since. Only
    // distinct texts are kept; while the platform is down, the position does not move for long.
    const isKnown = this.#isEnding || this.#pushed.some((text) => this.#copies.isOwn(text))
    const unsent = !isKnown || this.#pushed.every((text) => !isStill(text, sent))
    if (unsent)
      await this.#rememberPushed([
        ...this.#pushed.slice(0, 1),
        ...this.#pushed.slice(1).slice(-maxUnanswered),
        sent,
      ])
    const found = await this.#read(signal)
    if (this.#isUncertain && found !== undefined && this.#wasResetUnseen(found)) {
      this.#obey(found)
      return
    }
    const answer = await platform.ping(settings.id, sent, signal)
    this.#isUncertain = false
    if (!samePlatformState(answer, sent)) {
      this.#obey(answer)
      return
    }
    this.#noticeMove(found)
    await this.#rememberPushed([sent])
  }

  /** While a reset is applied, neither the old state nor the new one may replace what a person has set. */
  async #echo(signal: AbortSignal): Promise<void> {
    const { platform, settings } = this.#options
    const [sent = 'null'] = this.#pushed
    const answer = await platform.ping(settings.id, sent, signal)
    if (!samePlatformState(answer, sent)) this.#obey(answer)
  }

  /** State on the platform; undefined if it does not say. */
  async #read(signal: AbortSignal): Promise<string | undefined> {
    const { platform, settings } = this.#options
    if (!this.#mayRead && !this.#isUncertain) return undefined
    try {
      const found = await platform.readState(settings.id, signal)
      this.#mayRead = found !== undefined
      return found
    } catch (error) {
      // The following ping says more, unless the platform is down.
      if (isStreamConnectorError(error) && error.code !== 'PLATFORM_UNREACHABLE') return undefined
      throw error
    }
  }

  /**
   * A ping whose answer was lost may have consumed a reset; the platform then no longer has the state it had.
   */
  #wasResetUnseen(found: string): boolean {
    // A platform that never received a state has none to lose.
    return parsePlatformState(found) === undefined && !this.#pushed.some((text) => isStill(text, found))
  }

  /**
   * A ping overwrites whatever the platform has, so a position written by someone else would go unnoticed.
   * Ours stays: if two deployments share an id, following the other would lose what it has passed.
   */
  #noticeMove(found: string | undefined): void {
    const state = parsePlatformState(found)
    if (state !== undefined && state.problems.length > 0) this.#noticeUnreadable(state)
    const hadCopy = this.#copies.copy !== undefined
    const isOfCopy = this.#copies.look(found)
    if (isOfCopy && !hadCopy)
      this.#options.onNotice({ kind: 'second-copy', host: this.#copies.copy!, isCertain: true })
    const before = this.#moved
    const isKnown = isOfCopy || this.#copies.isOfFormer(found)
    this.#moved = isKnown ? undefined : movedPosition(found, this.#pushed)
    if (before === undefined && this.#moved !== undefined)
      this.#options.onNotice({ kind: 'moved', ...this.#moved })
  }

  /** @param isElsewhere whether it has written a different state than the one we continue from. */
  #noticeOtherRun(other: OtherRun | undefined, isElsewhere: boolean): void {
    if (other === undefined || (!isElsewhere && !this.#copies.mayBeAtWork(other))) return
    this.#options.onNotice({ kind: 'second-copy', host: other.host, isCertain: false, agoMs: other.agoMs })
  }

  #obey(answer: string | undefined): void {
    const remote = parsePlatformState(answer)
    this.#isUncertain = false
    if (remote !== undefined && remote.problems.length > 0) {
      // Not remembered as ours: if killed before the next ping replaces it, the next start reports it again.
      this.#noticeUnreadable(remote)
      return
    }
    this.#moved = undefined
    this.#pushed = [answer ?? 'null']
    const state =
      remote?.startFrom === undefined ? this.#beginning.first(remote) : this.#beginning.endingByNow(remote)
    this.#resetsUnderWay++
    void this.#options.onReset(state).finally(() => this.#resetsUnderWay--)
  }

  #rememberPushed(texts: readonly string[]): Promise<void> {
    this.#pushed = texts
    return this.#options.store.commit({ values: new Map([[storedValues.pushed, JSON.stringify(texts)]]) })
  }

  #noticeUnreadable(state: ReadPlatformState): void {
    this.#options.onNotice({ kind: 'state-unreadable', error: unreadableState(state, whileRunning) })
  }

  async #register(signal: AbortSignal): Promise<string | undefined> {
    const { platform, settings, ownUser } = this.#options
    const { id, name, scope } = settings
    const registration = await this.#patiently(
      () => platform.register({ id, name, scope }, signal),
      'The platform is not available yet',
      signal,
    )
    ownUser.id = registration.userId
    return registration.state
  }

  /** A platform that lost its data since the registration must learn about the connector first. */
  async #pingOrRegister(state: string, signal: AbortSignal): Promise<string | undefined> {
    const { platform, settings } = this.#options
    try {
      return await platform.ping(settings.id, state, signal)
    } catch (error) {
      if ((error as { problem?: unknown }).problem === 'unknown-connector') await this.#registerAgain(signal)
      throw error
    }
  }

  async #registerAgain(signal: AbortSignal): Promise<void> {
    const { platform, settings, logger } = this.#options
    try {
      await platform.register({ id: settings.id, name: settings.name, scope: settings.scope }, signal)
      // It also lost the state, not by a reset; the next ping pushes it again.
      this.#isUncertain = false
      logger.info('Registered again, because the platform no longer knew the connector')
    } catch {
      // The next ping reports it.
    }
  }

  /** Waits for a platform that is down; throws what a person must fix. */
  #patiently<T>(call: () => Promise<T>, what: string, signal: AbortSignal): Promise<T> {
    return keepTrying(call, what, this.#options, signal, isTroubleOfPlatform)
  }
}

export interface SessionOptions {
  readonly platform: Platform
  readonly settings: ConnectorSettings
  readonly store: StateStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Whether the target holds items in any case, whatever the platform remembers. */
  readonly holdsItems: () => boolean
  /** Receives the user when the connector registers. */
  readonly ownUser: OwnUser
  /** Makes the current state durable and returns it as text. */
  readonly save: () => Promise<string>
  /** Someone reset or edited the state on the platform. Resolves when the connector has restarted there. */
  readonly onReset: (state: PlatformState) => Promise<void>
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** Whether the platform still has what it had. A reset leaves an empty text, as opposed to nothing. */
function isStill(had: string, has: string | undefined): boolean {
  return samePlatformState(had, has) && (had === '') === (has === '')
}

function parsePushed(text: string | undefined): readonly string[] {
  if (text === undefined) return []
  const texts = parsedJson(text)
  return Array.isArray(texts) ? texts.filter((item) => typeof item === 'string') : []
}
