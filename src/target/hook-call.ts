import { errorFacts } from '../errors/error-facts.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type HookTrace } from '../events/event-trace.ts'
import { type Operation } from '../events/operation.ts'
import { type OverdueListener } from '../flow/operation-handler.ts'
import { type Clock } from '../util/clock.ts'
import { AsyncLocalStorage } from 'node:async_hooks'
import { Condition } from '../util/condition.ts'
import { isThenable } from '../util/is-thenable.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type LeaseGuard } from '../store/lease-guard.ts'

/** How long to wait for a hook that ignores its signal before reporting it, as a share of the limit. */
const overdueShare = 0.5

/**
 * These have no effect on the target: a call that ignores its signal is abandoned, and the hook is called
 * again.
 */
const withoutEffect: ReadonlySet<string> = new Set(['transform', 'find', 'link'])

/** One hook call. Creates its signal on demand, and ends it when it takes too long. */
export class HookCall {
  readonly #limits: HookLimits
  readonly #trace: HookTrace | undefined
  readonly #what: Operation | readonly Operation[] | undefined
  readonly #caller: OverdueListener | undefined
  #controller: AbortController | undefined
  #signal: AbortSignal | undefined

  /**
   * @param trace traces the call; omit without tracing.
   * @param what the operations of the call; omit if no one waits for its end.
   * @param caller called if it does not end although its time is over and its signal has aborted.
   */
  constructor(
    limits: HookLimits,
    trace?: HookTrace | undefined,
    what?: Operation | readonly Operation[] | undefined,
    caller?: OverdueListener | undefined,
  ) {
    this.#limits = limits
    this.#trace = trace
    this.#what = what
    this.#caller = caller
  }

  /** Signal for the hook. */
  signal(): AbortSignal {
    if (this.#limits.timeoutMs === undefined) return this.#limits.stopped
    this.#controller ??= new AbortController()
    this.#signal ??= AbortSignal.any([this.#controller.signal, this.#limits.stopped])
    return this.#signal
  }

  /**
   * Calls the hook and returns its result. When its time is over, its signal aborts, along with its requests
   * through `this.http`. A hook that may have an effect is still awaited, however long it takes: its effect
   * could otherwise come after that of the next attempt or of a newer event, and would stay.
   *
   * Waits while the lease of the state is not held: this process may have been frozen since the last call.
   *
   * @throws StreamConnectorError `HOOK_TIMEOUT` if the hook did not succeed within the limit, nor explain
   *   itself after it; `STATE_LOST` if another copy of the connector works instead.
   */
  run<T>(name: string, call: () => T | Promise<T>): T | Promise<T> {
    const { lease, stopped } = this.#limits
    const held = lease?.whenHeld()
    if (held !== undefined) return raceWithSignal(stopped, () => held).then(() => this.run(name, call))
    return this.#trace === undefined
      ? this.#run(name, call)
      : this.#trace.run(name, () => this.#run(name, call))
  }

  #run<T>(name: string, call: () => T | Promise<T>): T | Promise<T> {
    // Without a limit, returns the hook's own promise: another one around it would cost each event extra
    // turns.
    const { timeoutMs, requests, lease } = this.#limits
    const isPlain = requests?.countsRequests !== true
    const whole = isPlain ? call : () => new HookRequests(() => this.signal(), lease).run(call)
    return timeoutMs === undefined ? whole() : this.#runWithin(timeoutMs, name, whole)
  }

  async #runWithin<T>(timeoutMs: number, name: string, call: () => T | Promise<T>): Promise<T> {
    const { clock } = this.#limits
    const givenUp = Promise.withResolvers<never>()
    // Unhandled if the hook wins.
    givenUp.promise.catch(() => {})
    const error = new StreamConnectorError(
      'HOOK_TIMEOUT',
      `${name}() took longer than ${timeoutMs} ms (CONNECTOR_HOOK_TIMEOUT_MS). It is unknown whether the call took effect.`,
    )
    let isLate = false
    let cancel = clock.schedule(timeoutMs, () => {
      isLate = true
      this.#controller?.abort(error)
      cancel = clock.schedule(timeoutMs * overdueShare, () => {
        if (withoutEffect.has(name)) givenUp.reject(error)
        else this.#tellOverdue(name, error)
      })
    })
    try {
      return await Promise.race([call(), givenUp.promise])
    } catch (thrown) {
      throw isLate ? lateError(thrown, error) : thrown
    } finally {
      cancel()
    }
  }

  #tellOverdue(name: string, error: StreamConnectorError): void {
    const what = this.#what ?? []
    this.#caller?.overdue(name, (Array.isArray(what) ? what : [what]) as readonly Operation[], error)
  }
}

/** Time limit and cancellation of hook calls. */
export interface HookLimits {
  readonly clock: Clock
  /** Longest duration of a call, in milliseconds. Undefined for no limit. */
  readonly timeoutMs: number | undefined
  /** Aborts when the connector abandons work in flight. */
  readonly stopped: AbortSignal
  /**
   * Whether hooks may make requests through `this.http`.
   * @default none does
   */
  readonly requests?: { readonly countsRequests: boolean } | undefined
  /**
   * Without it, hooks may start at any time.
   * @default none
   */
  readonly lease?: Pick<LeaseGuard, 'whenHeld'> | undefined
}

/** A late error counts if it is about the event, but not if it only says the call was interrupted. */
function lateError(thrown: unknown, timeout: StreamConnectorError): unknown {
  if (thrown === timeout || isStreamConnectorError(thrown) || errorFacts(thrown, 0).status !== undefined)
    return thrown
  return new StreamConnectorError(timeout.code, timeout.message, { cause: thrown })
}

/** Maximum number of microtasks ky takes between the call and the request. */
const beginTurns = 10

const storage = new AsyncLocalStorage<HookRequests>()

/**
 * Requests one hook call makes through `this.http`, anywhere in its code. They end when the call is told to
 * end, even if the author passes on no signal, and the call does not end before they have, even if nobody
 * awaits them: none can take effect after the next call for the entity.
 *
 * Code that outlives the call, such as a loop, gets no further control.
 */
export class HookRequests {
  readonly #signal: () => AbortSignal
  readonly #lease: HookLimits['lease']
  readonly #ended = new Condition()
  #announced = 0
  #begun = 0
  #underWay = 0
  #isOver = false
  /** Number of waiting requests, since when, and how long any have waited before, in milliseconds. */
  #waiting = 0
  #waitingSinceMs = 0
  #waitedMs = 0

  /** @param signal signal of the call; only read if there is a request. */
  constructor(signal: () => AbortSignal, lease?: HookLimits['lease']) {
    this.#signal = signal
    this.#lease = lease
  }

  /** The hook call in whose code this runs; undefined outside of one. */
  static get current(): HookRequests | undefined {
    const requests = storage.getStore()
    return requests === undefined || requests.#isOver ? undefined : requests
  }

  /** Makes the call; the result has ended once all its requests have. */
  run<T>(call: () => T | Promise<T>): T | Promise<T> {
    let result: T | Promise<T>
    try {
      result = storage.run(this, call)
    } catch (error) {
      if (this.#announced > 0) return this.#waitFor(Promise.reject(error as Error))
      this.#isOver = true
      throw error
    }
    if (isThenable(result)) return this.#waitFor(result)
    if (this.#announced > 0) return this.#waitFor(Promise.resolve(result))
    this.#isOver = true
    return result
  }

  /** A request is about to start, some microtasks from now. */
  announce(): void {
    this.#announced++
  }

  /** Starts a request, which the returned signal may end. Call {@link end} when it is over. */
  begin(): AbortSignal {
    this.#begun++
    this.#underWay++
    return this.#signal()
  }

  /**
   * Resolves when requests may be sent; undefined if they may now. This process may have been frozen in the middle of
   * the hook, and another copy of the connector may work by now.
   */
  whenHeld(): Promise<void> | undefined {
    return this.#lease?.whenHeld()
  }

  /** A request waits for its turn, because of the rate limit or a pause. */
  wait(nowMs: number): void {
    if (this.#waiting++ === 0) this.#waitingSinceMs = nowMs
  }

  /** Its turn has come. */
  go(nowMs: number): void {
    if (--this.#waiting === 0) this.#waitedMs += nowMs - this.#waitingSinceMs
  }

  /** How long requests have waited for their turn, in milliseconds; that is not the target's time. */
  get waitedMs(): number {
    return this.#waitedMs
  }

  /** A request is over. */
  end(): void {
    if (--this.#underWay === 0) this.#ended.notifyAll()
  }

  async #waitFor<T>(result: PromiseLike<T>): Promise<T> {
    try {
      return await result
    } finally {
      for (let turn = 0; turn < beginTurns && this.#begun < this.#announced; turn++) await undefined
      this.#isOver = true
      if (this.#underWay > 0) await this.#ended.wait()
    }
  }
}
