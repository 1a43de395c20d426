import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import {
  parsePlatformState,
  samePlatformState,
  unreadableState,
  type PlatformState,
  type ReadPlatformState,
} from '../opencti/platform-state.ts'
import { type Platform } from '../opencti/platform.ts'
import { type Position } from '../util/position.ts'
import { type ConnectorSettings } from '../settings/schemas/connector-settings.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { parsedJson } from '../util/json-text.ts'
import { type Logger } from '../util/logger.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { Beginning } from './beginning.ts'
import { CopyWatch, type OtherRun } from './copy-watch.ts'
import { type MovedPosition, movedPosition } from './moved-position.ts'
import { isTroubleOfPlatform, keepTrying } from './keep-trying.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** How the connector starts. */
export interface SessionStart {
  readonly state: PlatformState
  /** Somebody wanted another start than where we stopped, or there is no trace of an earlier one here. */
  readonly isAnew: boolean
  /** The platform knew a state, but nothing is known here of what was pushed. */
  readonly isTaken: boolean
  /** Where the state was found. */
  readonly source: 'local' | 'platform' | 'settings'
  /** The platform's state was reset by somebody, as far as it shows. */
  readonly isReset: boolean
  /** Where it stood when somebody moved it at the platform, while it was away. */
  readonly movedFrom?: Position | undefined
}

/** As the official client does, in milliseconds. */
const pingEveryMs = 40_000

/** How many states that were sent without an answer are remembered. */
const maxUnanswered = 16

/** Stands in place of the state when it was reset here, not at the platform: start as the settings say. */
export const resetState = '{}'

/**
 * The connector's standing with the platform: registered, pinged, its state handed over. The platform's copy of the state
 * is what operators see, reset and edit, so a change of theirs wins over ours; otherwise ours is the newer one.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #beginning: Beginning
  #isFailing = false
  /** A ping was sent whose answer did not come: the platform may have done what it asks. */
  #isUncertain = false
  /** What the platform may have: what it is known to have, then what was sent without an answer. */
  #pushed: readonly string[] = []
  /** Resets that are noticed and not obeyed yet. */
  #resetsUnderWay = 0
  /** Not every token may ask for the state. */
  #mayRead = true
  #moved: MovedPosition | undefined
  readonly #copies: CopyWatch
  /** The state is handed over for the last time: from here on nobody is at work. */
  #isEnding = false

  constructor(options: SessionOptions) {
    const { platform, clock } = options
    this.#options = options
    this.#beginning = new Beginning(options)
    this.#copies = new CopyWatch(() => platform.nowMs ?? clock.now())
  }

  /** The position that somebody else had written at the platform when it was last looked; undefined when nobody had. */
  get moved(): MovedPosition | undefined {
    return this.#moved
  }

  /** The machine on which another copy of this connector runs; undefined when none does, as far as it shows. */
  get copy(): string | undefined {
    return this.#copies.copy
  }

  /**
   * Registers, waiting for a platform that is away, and finds out where to start.
   *
   * @throws StateError when a state is there and cannot be read: to begin as if there were none would send everything again.
   */
  async open(signal: AbortSignal): Promise<SessionStart> {
    const { store } = this.#options
    let registered = await this.#register(signal)
    // Before the ping: newer platforms fail over a state that is no JSON, and over the next one too.
    readRemote(registered)
    // One ping before the stream opens, echoing what is there: a reset that was made while nobody was here is flagged
    // until a ping has seen it, and would look like a second reset later (OpenCTI platform, domain/connector.ts).
    const echoed = await this.#patiently(
      () => this.#pingOrRegister(registered ?? 'null', signal),
      'The platform does not answer the first ping',
      signal,
    )
    if (!samePlatformState(echoed, registered)) registered = echoed
    this.#pushed = [registered ?? 'null']
    const local = await store.value(storedValues.state)
    const pushed = parsePushed(await store.value(storedValues.pushed))
    const remote = readRemote(registered)
    const other = this.#copies.begin(registered, pushed)
    const isStillOurs = pushed.length === 0 || pushed.some((text) => isStill(text, registered))
    // What another run has passed may never have reached our target: only a person moves us.
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

  /** Pings until `signal` is aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    return repeatUntilAborted(() => this.ping(signal), { clock, everyMs: pingEveryMs, signal })
  }

  /** One ping with the newest state that is durable. What goes wrong is told, never thrown. */
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

  /** The same for the last time in this process: the state does not bear our name any more. */
  pingLast(signal: AbortSignal): Promise<void> {
    this.#isEnding = true
    return this.ping(signal)
  }

  async #ping(signal: AbortSignal): Promise<void> {
    const { platform, settings } = this.#options
    if (this.#resetsUnderWay > 0) return this.#echo(signal)
    const saved = await this.#options.save()
    const sent = this.#isEnding ? saved : this.#copies.signed(saved)
    // Any of these may be what the platform has when we come back from a crash: the last that it took, or what was sent
    // since then. Only texts that differ are kept; while the platform is away, the position does not move for long.
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

  /** While a reset is obeyed, neither the old state nor the new one may take the place of what a person has put there. */
  async #echo(signal: AbortSignal): Promise<void> {
    const { platform, settings } = this.#options
    const [sent = 'null'] = this.#pushed
    const answer = await platform.ping(settings.id, sent, signal)
    if (!samePlatformState(answer, sent)) this.#obey(answer)
  }

  /** The state that the platform has; undefined where it does not tell. */
  async #read(signal: AbortSignal): Promise<string | undefined> {
    const { platform, settings } = this.#options
    if (!this.#mayRead && !this.#isUncertain) return undefined
    try {
      const found = await platform.readState(settings.id, signal)
      this.#mayRead = found !== undefined
      return found
    } catch (error) {
      // The ping that follows tells more, unless there is nobody to answer it.
      if (isStreamConnectorError(error) && error.code !== 'PLATFORM_UNREACHABLE') return undefined
      throw error
    }
  }

  /** A ping whose answer was lost may have swallowed a reset: the platform is then without the state that it had. */
  #wasResetUnseen(found: string): boolean {
    // A platform that never took a state has none to lose.
    return parsePlatformState(found) === undefined && !this.#pushed.some((text) => isStill(text, found))
  }

  /**
   * The ping stores what it sends, whatever the platform has: who else writes a position there would not be noticed. Ours
   * stays: where two deployments have one id, to follow the other would be to lose what that one has passed.
   */
  #noticeMove(found: string | undefined): void {
    const state = parsePlatformState(found)
    if (state !== undefined && state.problems.length > 0) this.#noticeUnreadable(state)
    const hadCopy = this.#copies.copy !== undefined
    const isOfCopy = this.#copies.look(found)
    if (isOfCopy && !hadCopy)
      this.#options.onNotice({ kind: 'second-copy', host: this.#copies.copy!, isCertain: true })
    const before = this.#moved
    this.#moved = isOfCopy ? undefined : movedPosition(found, this.#pushed)
    if (before === undefined && this.#moved !== undefined)
      this.#options.onNotice({ kind: 'moved', ...this.#moved })
  }

  /** @param isElsewhere whether it has written another state than the one that we go on from. */
  #noticeOtherRun(other: OtherRun | undefined, isElsewhere: boolean): void {
    if (other === undefined || (!isElsewhere && !this.#copies.mayBeAtWork(other))) return
    this.#options.onNotice({ kind: 'second-copy', host: other.host, isCertain: false, agoMs: other.agoMs })
  }

  #obey(answer: string | undefined): void {
    const remote = parsePlatformState(answer)
    this.#isUncertain = false
    if (remote !== undefined && remote.problems.length > 0) {
      // Not remembered as ours: if we are killed before the next ping has replaced it, the next start says so again.
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
      'The platform is not there yet',
      signal,
    )
    ownUser.id = registration.userId
    return registration.state
  }

  /** A platform that has lost its data since the registration must be told of the connector first. */
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
      // It forgot the state too, which nobody asked for: the next ping hands it over again.
      this.#isUncertain = false
      logger.info('Registered again: the platform had forgotten the connector')
    } catch {
      // The next ping tells.
    }
  }

  /** Waits for a platform that is away; what a person has to mend is thrown. */
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
  /** Learns who it is when the connector is registered. */
  readonly ownUser: OwnUser
  /** Makes the present state durable and answers it, as text. */
  readonly save: () => Promise<string>
  /** Somebody reset or edited the state at the platform. Resolves when the connector has begun there. */
  readonly onReset: (state: PlatformState) => Promise<void>
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** Whether the platform still has what it had. A reset leaves an empty text, which is another kind of nothing than none. */
function isStill(had: string, has: string | undefined): boolean {
  return samePlatformState(had, has) && (had === '') === (has === '')
}

/** Where a state was found, and what to do when it cannot be read. */
const atPlatform = {
  found: 'The state of this connector at the platform',
  remedy:
    'Nothing was read or changed. Correct it there, or reset it there ("Reset the connector state" on the page of the connector), and start again.',
}
const whileRunning = {
  found: 'The state that somebody gave this connector at the platform',
  remedy:
    'The connector goes on from where it is and puts its own in its place. Change it once more, or reset it.',
}
const inFile = {
  found: 'The state in the state file',
  remedy: 'Set another one with "opencti-stream state set", or "opencti-stream state reset".',
}

function readRemote(text: string | undefined): ReadPlatformState | undefined {
  return readable(parsePlatformState(text), atPlatform)
}

/** What we wrote has a position; the text that stands for a reset is none. */
function readLocal(text: string): ReadPlatformState | undefined {
  const state = readable(parsePlatformState(text), inFile)
  if (state === undefined || state.startFrom !== undefined) return state
  throw unreadableState({ ...state, problems: ['start_from is not there'] }, inFile)
}

function readable(
  state: ReadPlatformState | undefined,
  where: typeof atPlatform,
): ReadPlatformState | undefined {
  if (state !== undefined && state.problems.length > 0) throw unreadableState(state, where)
  return state
}

function parsePushed(text: string | undefined): readonly string[] {
  if (text === undefined) return []
  const texts = parsedJson(text)
  return Array.isArray(texts) ? texts.filter((item) => typeof item === 'string') : []
}
