import { RouteEngine, type RouteEngineOptions } from './route-engine.ts'
import { type Hanging } from './hanging.ts'
import { type Operation } from '../events/operation.ts'
import { queueDepth, runningOperations, type QueueDepth } from './queue-depth.ts'
import { type Route } from '../events/routes.ts'
import { type EventCounts } from '../events/event-counters.ts'
import { type AskedPause } from './gate.ts'

/** Why what goes to the target is not taken, or not sent. */
export interface Trouble {
  /** Why the target counts as down; absent when it does not. */
  readonly outage: string | undefined
  /** Why the last event was refused, while everything is and nothing but probes is sent; absent when that is not so. */
  readonly refusal: string | undefined
  /** For how long either has been so, in milliseconds; 0 when neither is. */
  readonly pausedForMs: number
  /** The pause that the target has asked for and that is not over; absent when there is none. */
  readonly askedPause: AskedPause | undefined
}

/** How one route does at one moment. */
export interface RouteAccount extends EventCounts, Trouble {
  /** Hooks, or batches, that may run side by side through it now. */
  readonly concurrencyLimit: number
}

/** What the engines of all routes share. */
export type EngineOptions = Pick<RouteEngineOptions, 'counters' | 'clock' | 'random' | 'logger' | 'bulk'>

/** What the engine of one route has for itself. */
export type RouteParts = Omit<RouteEngineOptions, keyof EngineOptions | 'route'>

/**
 * One engine for what goes through no route, and one for each route: so that a route that waits for tokens, for its batch
 * or for a channel that is down holds no other back, and nothing of one route is counted for another.
 */
export class Engine {
  readonly #options: EngineOptions
  #main!: RouteEngine
  readonly #byRoute = new Map<Route, RouteEngine>()
  #all: readonly RouteEngine[] = []

  constructor(options: EngineOptions) {
    this.#options = options
  }

  /** Gives a route its engine, or what goes through none. That one comes first, before anything is pushed. */
  add(route: Route | undefined, parts: RouteParts): void {
    const { counters } = route ?? this.#options
    const engine = new RouteEngine({ ...this.#options, ...parts, counters, route: route?.name })
    if (route === undefined) this.#main = engine
    else this.#byRoute.set(route, engine)
    this.#all = [...this.#all, engine]
  }

  /** Operations that have not ended. */
  get size(): number {
    let size = 0
    for (const engine of this.#all) size += engine.size
    return size
  }

  /** Whether the target, or a route to it, is sent nothing but probes. */
  get isPaused(): boolean {
    return this.#all.some(({ gate }) => gate.outageReason !== undefined)
  }

  /** How it does that what goes through this route, or through none, is taken. */
  troubleOf(route?: Route): Trouble {
    const engine = route === undefined ? this.#main : this.#byRoute.get(route)
    const { outageReason, isRefusing, pausedForMs, askedPause } = (engine ?? this.#main).gate
    return {
      outage: isRefusing ? undefined : outageReason,
      refusal: isRefusing ? outageReason : undefined,
      pausedForMs,
      askedPause,
    }
  }

  /** The calls that take far longer than others, of all routes. */
  hanging(): Hanging {
    const each = this.#all.map((engine) => engine.hanging())
    const calls = each.flatMap((hanging) => hanging.calls).toSorted((one, other) => other.forMs - one.forMs)
    return { calls, isAll: each.some(({ isAll }) => isAll) }
  }

  /** How long the target, or the route for which it is longest, has been failing, in milliseconds; 0 when all works. */
  get failingForMs(): number {
    return Math.max(...this.#all.map(({ gate }) => gate.failingForMs))
  }

  /** Hooks, or batches, that may run side by side, as things are now: of all routes together where there are any. */
  get limit(): number {
    if (this.#byRoute.size === 0) return this.#main.gate.limit
    let limit = 0
    for (const engine of this.#byRoute.values()) limit += engine.gate.limit
    return limit
  }

  /** How many of them may run side by side for this route. */
  limitOf(route: Route): number {
    return this.#byRoute.get(route)?.gate.limit ?? 0
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
    route.counters.receive()
    this.#byRoute.get(route)!.push(operation)
  }

  /** As {@link push}, before all that its entity has waiting: something older than that. */
  pushFirst(operation: Operation): void {
    const { route } = operation
    if (route === undefined) {
      this.#main.pushFirst(operation)
      return
    }
    route.counters.receive()
    this.#byRoute.get(route)!.pushFirst(operation)
  }

  /** As of {@link Gate.resumeRefusals}, for the route of that name; nothing is done for one that is gone. */
  resumeRefusals(name: string | undefined, run: number, reason: string | undefined): void {
    if (name === undefined) this.#main.gate.resumeRefusals(run, reason)
    for (const [route, engine] of this.#byRoute) {
      if (route.name === name) engine.gate.resumeRefusals(run, reason)
    }
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
