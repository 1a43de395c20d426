import { AsyncLocalStorage } from 'node:async_hooks'
import { Condition } from '../util/condition.ts'
import { isThenable } from '../util/is-thenable.ts'

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
