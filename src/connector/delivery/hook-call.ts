import { StreamConnectorError } from '../../errors/stream-connector-error.ts'
import { type HookTrace } from '../../flow/event-trace.ts'
import { type Clock } from '../../util/clock.ts'

/** How long a hook that ignored its signal is waited for beyond the limit, as a share of the limit. */
const patience = 0.5

/** The time limit and the end of the calls of hooks. */
export interface HookLimits {
  readonly clock: Clock
  /** The longest that a call may take, in milliseconds; absent for as long as it likes. */
  readonly timeoutMs: number | undefined
  /** Aborted when the connector gives up what is in flight. */
  readonly stopped: AbortSignal
}

/** One call of a hook: makes its signal when somebody asks for it, and ends it when it takes too long. */
export class HookCall {
  readonly #limits: HookLimits
  readonly #trace: HookTrace | undefined
  #controller: AbortController | undefined

  /** @param trace follows the call; absent when nobody does. */
  constructor(limits: HookLimits, trace?: HookTrace | undefined) {
    this.#limits = limits
    this.#trace = trace
  }

  /** The signal for the hook. */
  signal(): AbortSignal {
    if (this.#limits.timeoutMs === undefined) return this.#limits.stopped
    this.#controller ??= new AbortController()
    return AbortSignal.any([this.#controller.signal, this.#limits.stopped])
  }

  /**
   * Calls the hook and answers what it answers, at most as long as the limit.
   *
   * @throws StreamConnectorError `HOOK_TIMEOUT` when the limit is over. The hook gets a moment to end after its signal
   * is aborted, so that its next try does not run beside this one.
   */
  run<T>(name: string, call: () => T | Promise<T>): T | Promise<T> {
    return this.#trace === undefined
      ? this.#run(name, call)
      : this.#trace.run(name, () => this.#run(name, call))
  }

  #run<T>(name: string, call: () => T | Promise<T>): T | Promise<T> {
    // Without a limit the hook's own answer is handed on: a promise around it would cost each event some more turns.
    const { timeoutMs } = this.#limits
    return timeoutMs === undefined ? call() : this.#runWithin(timeoutMs, name, call)
  }

  async #runWithin<T>(timeoutMs: number, name: string, call: () => T | Promise<T>): Promise<T> {
    const { clock } = this.#limits
    const timeout = Promise.withResolvers<never>()
    // Unhandled if the hook wins.
    timeout.promise.catch(() => {})
    const error = new StreamConnectorError(
      'HOOK_TIMEOUT',
      `${name}() took longer than ${timeoutMs} ms (CONNECTOR_HOOK_TIMEOUT_MS); whether the call took effect is not known.`,
    )
    let cancel = clock.schedule(timeoutMs, () => {
      this.#controller?.abort(error)
      cancel = clock.schedule(timeoutMs * patience, () => timeout.reject(error))
    })
    try {
      return await Promise.race([call(), timeout.promise])
    } finally {
      cancel()
    }
  }
}
