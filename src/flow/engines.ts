import { Engine, type EngineOptions } from './engine.ts'
import { type Operation } from './operation.ts'
import { queueDepth, runningOperations, type QueueDepth } from './queue-depth.ts'
import { type Route } from './route.ts'

/** What the engine of a route does not share with the others. */
export type RouteEngineOptions = Pick<EngineOptions, 'bucket' | 'delivery'> &
  Partial<Pick<EngineOptions, 'takesTokens' | 'handler'>>

/**
 * One engine for what goes through no route, and one for each route: so that a route that waits for tokens, for its batch
 * or for a channel that is down holds no other back, and nothing of one route is counted for another.
 */
export class Engines {
  readonly #options: EngineOptions
  readonly #main: Engine
  readonly #byRoute = new Map<Route, Engine>()
  #all: readonly Engine[]

  constructor(options: EngineOptions) {
    this.#options = options
    this.#main = new Engine(options)
    this.#all = [this.#main]
  }

  /** Gives a route an engine of its own. */
  add(route: Route, options: RouteEngineOptions): void {
    const engine = new Engine({ ...this.#options, books: route.books, ...options, route: route.name })
    this.#byRoute.set(route, engine)
    this.#all = [...this.#all, engine]
  }

  /** Operations that have not ended. */
  get size(): number {
    let size = 0
    for (const engine of this.#all) size += engine.size
    return size
  }

  /** Why the target, or a route to it, counts as down; undefined when none does. */
  get outageReason(): string | undefined {
    if (this.#main.outageReason !== undefined) return this.#main.outageReason
    for (const [route, { outageReason }] of this.#byRoute) {
      if (outageReason !== undefined) return `route ${route.name}: ${outageReason}`
    }
    return undefined
  }

  /** How long the target, or the route for which it is longest, has been failing, in milliseconds; 0 when all works. */
  get failingForMs(): number {
    return Math.max(...this.#all.map((engine) => engine.failingForMs))
  }

  /** Hooks, or batches, that may run side by side, as things are now: of all routes together where there are any. */
  get limit(): number {
    if (this.#byRoute.size === 0) return this.#main.limit
    let limit = 0
    for (const engine of this.#byRoute.values()) limit += engine.limit
    return limit
  }

  /** How many of them may run side by side for this route. */
  limitOf(route: Route): number {
    return this.#byRoute.get(route)?.limit ?? 0
  }

  /** Why this route counts as down; undefined when it does not. */
  outageOf(route: Route): string | undefined {
    return this.#byRoute.get(route)?.outageReason
  }

  /** What has not ended, by what becomes of it. Looks through all of it: for those who ask now and then. */
  queue(): QueueDepth {
    return queueDepth(...this.#all.map((engine) => engine.queueView))
  }

  /** What hooks are at work on right now. Looks through all of it. */
  running(): Operation[] {
    return this.#all.flatMap((engine) => runningOperations(engine.queueView))
  }

  /** The operation that has waited longest for its end; looks at all of them. */
  oldest(): Operation | undefined {
    let oldest: Operation | undefined
    for (const engine of this.#all) {
      const own = engine.oldest()
      if (own !== undefined && (oldest === undefined || own.pushedMs < oldest.pushedMs)) oldest = own
    }
    return oldest
  }

  push(operation: Operation): void {
    const { route } = operation
    if (route === undefined) {
      this.#main.push(operation)
      return
    }
    route.books.receive()
    this.#byRoute.get(route)!.push(operation)
  }

  /** No more is coming for now: what waits for company in a batch goes as it is. */
  hurry(): void {
    for (const engine of this.#all) engine.hurry()
  }

  /** Resolves when everything has ended. Batches no longer wait to be full. */
  async drain(): Promise<void> {
    await Promise.all(this.#all.map((engine) => engine.drain()))
  }

  /** Resolves when no hook is at work any more. */
  async rest(): Promise<void> {
    await Promise.all(this.#all.map((engine) => engine.rest()))
  }

  /** Nothing is started any more. */
  stop(): void {
    for (const engine of this.#all) engine.stop()
  }

  /** Drops everything that no hook is at work on, and answers it. */
  clear(): Operation[] {
    return this.#all.flatMap((engine) => engine.clear())
  }
}
