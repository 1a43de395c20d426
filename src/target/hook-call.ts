import { errorFacts } from '../errors/error-facts.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type HookTrace } from '../events/event-trace.ts'
import { type Clock } from '../util/clock.ts'
import { HookRequests } from './hook-requests.ts'

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
  readonly makesRequests?: (() => boolean) | undefined
}

/** Told that a call does not end although its time is over and its signal was aborted. */
export type OnOverdue = (hook: string, error: StreamConnectorError) => void

/** One call of a hook: makes its signal when somebody asks for it, and ends it when it takes too long. */
export class HookCall {
  readonly #limits: HookLimits
  readonly #trace: HookTrace | undefined
  readonly #onOverdue: OnOverdue | undefined
  #controller: AbortController | undefined
  #signal: AbortSignal | undefined

  /** @param trace follows the call; absent when nobody does. */
  constructor(limits: HookLimits, trace?: HookTrace | undefined, onOverdue?: OnOverdue | undefined) {
    this.#limits = limits
    this.#trace = trace
    this.#onOverdue = onOverdue
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
    const { timeoutMs, makesRequests } = this.#limits
    const isPlain = makesRequests?.() !== true
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
        else this.#onOverdue?.(name, error)
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
}

/** What a hook threw after its time: what it says of the event still counts, that it was interrupted says nothing. */
function lateError(thrown: unknown, timeout: StreamConnectorError): unknown {
  if (thrown === timeout || isStreamConnectorError(thrown) || errorFacts(thrown, 0).status !== undefined)
    return thrown
  return new StreamConnectorError(timeout.code, timeout.message, { cause: thrown })
}
