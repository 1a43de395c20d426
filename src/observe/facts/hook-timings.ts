import { type Clock } from '../../util/clock.ts'
import { isThenable } from '../../util/is-thenable.ts'

/** Upper bounds of durations, in seconds; each is 2 to 2.5 times the previous one. */
export const durationBounds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
]

/** Upper bounds of batch sizes. */
export const sizeBounds: readonly number[] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** Statistics of one hook. */
export interface HookFigures {
  readonly hook: string
  /** Route it was called for. Undefined without routes. */
  readonly route: string | undefined
  readonly ok: Distribution
  readonly error: Distribution
}

/** How long the current hook call has waited for us, in milliseconds. */
export interface OwnWaits {
  readonly waitedMs: number
}

/** Finds the hook call that the current code belongs to; undefined outside of one. */
export interface PresentCall {
  readonly current: OwnWaits | undefined
}

type Method = (...parameters: unknown[]) => unknown

/**
 * Measures how long hooks take and how often they fail. Costs two clock reads and one addition per call, and
 * stores nothing per call.
 */
export class HookTimings {
  readonly #clock: Clock
  readonly #isAskedFor: boolean
  readonly #calls: PresentCall | undefined
  readonly #figures = new Map<string, HookFigures>()
  readonly batchSizes = new Distribution(sizeBounds)

  /**
   * @param isAskedFor whether anyone can read the figures; if not, nothing is measured.
   * @param calls gives the part of the current hook call that is not the target's. Without it, all of the time
   *   is the target's.
   */
  constructor(clock: Clock, isAskedFor = true, calls?: PresentCall | undefined) {
    this.#clock = clock
    this.#calls = calls
    this.#isAskedFor = isAskedFor
  }

  /** By hook name, followed by `@` and the route if there is one. Only hooks the connector has. */
  get figures(): ReadonlyMap<string, HookFigures> {
    return this.#figures
  }

  /**
   * Wraps `hooks` to time each one; missing hooks stay missing.
   *
   * @param names methods to time; call no others on the result.
   * @param route route they are called for; omit without routes.
   */
  watch<Hooks extends object>(hooks: Hooks, names: readonly (keyof Hooks & string)[], route?: string): Hooks {
    if (!this.#isAskedFor) return hooks
    const timed = Object.create(hooks) as Hooks
    for (const name of names) {
      let method: Method | undefined
      Object.defineProperty(timed, name, {
        get: () => (hooks[name] === undefined ? undefined : (method ??= this.#timed(hooks, name, route))),
      })
    }
    return timed
  }

  #timed<Hooks extends object>(hooks: Hooks, name: keyof Hooks & string, route?: string): Method {
    const { ok, error } = this.#figuresOf(name, route)
    const clock = this.#clock
    const sizes = name === 'flush' ? this.batchSizes : undefined
    // Hooks take at most two parameters, and naming them is faster than rest parameters.
    return (first, second) => {
      if (sizes !== undefined) sizes.add((first as readonly unknown[]).length)
      const startMs = clock.monotonic()
      const own = this.#calls?.current
      const tookSeconds = () => Math.max(0, clock.monotonic() - startMs - (own?.waitedMs ?? 0)) / 1000
      let result: unknown
      try {
        result = (hooks[name] as Method).call(hooks, first, second)
      } catch (thrown) {
        error.add(tookSeconds())
        throw thrown
      }
      if (!isThenable(result)) {
        ok.add(tookSeconds())
        return result
      }
      // A custom thenable may start its work on each "then"; a native promise calls it once.
      const promise = result instanceof Promise ? result : Promise.resolve(result)
      promise.then(
        () => ok.add(tookSeconds()),
        () => error.add(tookSeconds()),
      )
      return promise
    }
  }

  #figuresOf(hook: string, route: string | undefined): HookFigures {
    const name = route === undefined ? hook : `${hook}@${route}`
    let figures = this.#figures.get(name)
    if (figures === undefined) {
      figures = { hook, route, ok: new Distribution(durationBounds), error: new Distribution(durationBounds) }
      this.#figures.set(name, figures)
    }
    return figures
  }
}

/** How many values fell between which bounds. */
export class Distribution {
  readonly bounds: readonly number[]
  /** One more than there are bounds; not added up. */
  readonly counts: Float64Array
  sum = 0
  count = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  add(value: number): void {
    const { bounds } = this
    let index = 0
    while (index < bounds.length && value > bounds[index]!) index++
    this.counts[index]!++
    this.sum += value
    this.count++
  }

  /** The bound below which this share of the values lies; null beyond the last bound, 0 without values. */
  quantile(share: number): number | null {
    return quantileOf(this.bounds, this.counts, share)
  }
}

/** The bound below which this share of the counted values lies; null beyond the last bound, 0 without values. */
export function quantileOf(bounds: readonly number[], counts: Float64Array, share: number): number | null {
  const count = counts.reduce((sum, each) => sum + each, 0)
  if (count === 0) return 0
  let seen = 0
  for (const [index, bound] of bounds.entries()) {
    seen += counts[index]!
    if (seen >= count * share) return bound
  }
  return null
}
