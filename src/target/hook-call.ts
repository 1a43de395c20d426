import { errorFacts } from '../errors/error-facts.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type HookTrace } from '../events/event-trace.ts'
import { type Operation } from '../events/operation.ts'
import { type OverdueListener } from '../flow/operation-handler.ts'
import { type Clock } from '../util/clock.ts'
import { AsyncLocalStorage } from 'node:async_hooks'
import { Condition } from '../util/condition.ts'
import { isThenable } from '../util/is-thenable.ts'

/** How long a hook that ignores its signal is waited for beyond the limit before that is told, as a share of the limit. */
const patience = 0.5

/** These change nothing at the target: a call that ignores its signal is left alone, and the hook called again. */
const withoutEffect: ReadonlySet<string> = new Set(['transform', 'find', 'link'])

/** The time limit and the end of the calls of hooks. */
export interface HookLimits {
  readonly clock: Clock
  /** The longest that a call may take, in milliseconds; absent for as long as it likes. */
  readonly timeoutMs: number | undefined
  /** Aborted when the connector gives up what is in flight. */
  readonly stopped: AbortSignal
  /** Whether hooks may make requests through `this.http`. Default: none does. */
  readonly requests?: { readonly countsRequests: boolean } | undefined
}

/** One call of a hook: makes its signal when somebody asks for it, and ends it when it takes too long. */
export class HookCall {
  readonly #limits: HookLimits
  readonly #trace: HookTrace | undefined
  readonly #what: Operation | readonly Operation[] | undefined
  readonly #caller: OverdueListener | undefined
  #controller: AbortController | undefined
  #signal: AbortSignal | undefined

  /**
   * @param trace follows the call; absent when nobody does.
   * @param what it is for; absent when nobody waits for its end.
   * @param caller told when it does not end although its time is over and its signal was aborted.
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

  /** The signal for the hook. */
  signal(): AbortSignal {
    if (this.#limits.timeoutMs === undefined) return this.#limits.stopped
    this.#controller ??= new AbortController()
    this.#signal ??= AbortSignal.any([this.#controller.signal, this.#limits.stopped])
    return this.#signal
  }

  /**
   * Calls the hook and answers what it answers. When its time is over its signal is aborted, and its requests of
   * `this.http` with it. A hook that may have an effect is waited for all the same, as long as it takes: its effect could
   * come after that of the next try, or of a newer event, and would stay.
   *
   * @throws StreamConnectorError `HOOK_TIMEOUT` when the hook did not end well within the limit, nor told why after it.
   */
  run<T>(name: string, call: () => T | Promise<T>): T | Promise<T> {
    return this.#trace === undefined
      ? this.#run(name, call)
      : this.#trace.run(name, () => this.#run(name, call))
  }

  #run<T>(name: string, call: () => T | Promise<T>): T | Promise<T> {
    // Without a limit the hook's own answer is handed on: a promise around it would cost each event some more turns.
    const { timeoutMs, requests } = this.#limits
    const isPlain = requests?.countsRequests !== true
    const whole = isPlain ? call : () => new HookRequests(() => this.signal()).run(call)
    return timeoutMs === undefined ? whole() : this.#runWithin(timeoutMs, name, whole)
  }

  async #runWithin<T>(timeoutMs: number, name: string, call: () => T | Promise<T>): Promise<T> {
    const { clock } = this.#limits
    const givenUp = Promise.withResolvers<never>()
    // Unhandled if the hook wins.
    givenUp.promise.catch(() => {})
    const error = new StreamConnectorError(
      'HOOK_TIMEOUT',
      `${name}() took longer than ${timeoutMs} ms (CONNECTOR_HOOK_TIMEOUT_MS); whether the call took effect is not known.`,
    )
    let isLate = false
    let cancel = clock.schedule(timeoutMs, () => {
      isLate = true
      this.#controller?.abort(error)
      cancel = clock.schedule(timeoutMs * patience, () => {
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

/** What a hook threw after its time: what it says of the event still counts, that it was interrupted says nothing. */
function lateError(thrown: unknown, timeout: StreamConnectorError): unknown {
  if (thrown === timeout || isStreamConnectorError(thrown) || errorFacts(thrown, 0).status !== undefined)
    return thrown
  return new StreamConnectorError(timeout.code, timeout.message, { cause: thrown })
}

/** Microtasks that ky takes at most between the call for a request and the request. */
const beginTurns = 10

const storage = new AsyncLocalStorage<HookRequests>()

/**
 * What one call of a hook requests through `this.http`, wherever in its code. These requests end when the call is told to
 * end, though the author hands no signal on, and the call has not ended before they have, though nobody waits for them:
 * none of them can take effect after the next call for the entity.
 *
 * What the call leaves behind, such as a loop that it has started, is on its own once the call is over.
 */
export class HookRequests {
  readonly #signal: () => AbortSignal
  readonly #ended = new Condition()
  #announced = 0
  #begun = 0
  #underWay = 0
  #isOver = false
  /** Requests that wait for their turn, since when, and how long any has waited before, in milliseconds. */
  #waiting = 0
  #waitingSinceMs = 0
  #waitedMs = 0

  /** @param signal the signal of the call; only asked for when there is a request. */
  constructor(signal: () => AbortSignal) {
    this.#signal = signal
  }

  /** The call of a hook in whose code this is asked; undefined outside of one. */
  static get current(): HookRequests | undefined {
    const requests = storage.getStore()
    return requests === undefined || requests.#isOver ? undefined : requests
  }

  /** Makes the call; what is answered has ended when all its requests have. */
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

  /** A request is about to begin, some microtasks from now. */
  announce(): void {
    this.#announced++
  }

  /** A request begins, which the answered signal may end. {@link end} has to be called when it is over. */
  begin(): AbortSignal {
    this.#begun++
    this.#underWay++
    return this.#signal()
  }

  /** A request waits for its turn, by the rate limit or a pause that the target has asked for. */
  wait(nowMs: number): void {
    if (this.#waiting++ === 0) this.#waitingSinceMs = nowMs
  }

  /** Its turn has come. */
  go(nowMs: number): void {
    if (--this.#waiting === 0) this.#waitedMs += nowMs - this.#waitingSinceMs
  }

  /** How long requests have waited for their turn, in milliseconds: that time is not the target's. */
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
