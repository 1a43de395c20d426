import { RouteEngine, type RouteEngineOptions } from './route-engine.ts'
import { type Hanging } from './hanging.ts'
import { type Operation } from '../events/operation.ts'
import { queueDepth, runningOperations, type QueueDepth } from './queue-depth.ts'
import { type Route } from '../events/routes.ts'
import { type EventCounts } from '../events/event-counters.ts'
import { type AskedPause } from './gate.ts'

/** Why operations are not accepted by the target, or not sent. */
export interface Trouble {
  /** Why the target is considered down. Undefined if it is not. */
  readonly outage: string | undefined
  /**
   * Why the last event was refused while everything is refused and only probes are sent. Undefined otherwise.
   */
  readonly refusal: string | undefined
  /** How long either has been the case, in milliseconds; 0 if neither is. */
  readonly pausedForMs: number
  /** The current pause the target asked for. Undefined if there is none. */
  readonly askedPause: AskedPause | undefined
}

/** Snapshot of a route's status. */
export interface RouteAccount extends EventCounts, Trouble {
  /** Current limit of its parallel hooks or batches. */
  readonly concurrencyLimit: number
}

/**
 * One engine for operations without a route and one per route, so that a route waiting for tokens, for its
 * batch, or for a channel that is down holds up no other, and nothing of one route counts against another.
 */
export class Engine {
  readonly #options: EngineOptions
  #main!: RouteEngine
  readonly #byRoute = new Map<Route, RouteEngine>()
  #all: readonly RouteEngine[] = []

  constructor(options: EngineOptions) {
    this.#options = options
  }

  /** Adds the engine of a route, or of no route. That one must be added first, before anything is pushed. */
  add(route: Route | undefined, parts: RouteParts): void {
    const { counters } = route ?? this.#options
    const engine = new RouteEngine({ ...this.#options, ...parts, counters, route: route?.name })
    if (route === undefined) this.#main = engine
    else this.#byRoute.set(route, engine)
    this.#all = [...this.#all, engine]
  }

  /** Number of unfinished operations. */
  get size(): number {
    let size = 0
    for (const engine of this.#all) size += engine.size
    return size
  }

  /** Whether the target, or a route to it, only gets probes. */
  get isPaused(): boolean {
    return this.#all.some(({ gate }) => gate.outageReason !== undefined)
  }

  /** Trouble of a route, or of operations without one. */
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

  /** Calls on all routes that take far longer than others. */
  hanging(): Hanging {
    const each = this.#all.map((engine) => engine.hanging())
    const calls = each.flatMap((hanging) => hanging.calls).toSorted((one, other) => other.forMs - one.forMs)
    return { calls, isAll: each.some(({ isAll }) => isAll) }
  }

  /** How long the target, or the route affected longest, has been failing, in milliseconds; 0 if all work. */
  get failingForMs(): number {
    return Math.max(...this.#all.map(({ gate }) => gate.failingForMs))
  }

  /** Current limit of parallel hooks or batches, summed across routes if there are any. */
  get limit(): number {
    if (this.#byRoute.size === 0) return this.#main.gate.limit
    let limit = 0
    for (const engine of this.#byRoute.values()) limit += engine.gate.limit
    return limit
  }

  /** Current limit for this route. */
  limitOf(route: Route): number {
    return this.#byRoute.get(route)?.gate.limit ?? 0
  }

  /** Unfinished events by state. Iterates over everything, so use it sparingly. */
  queue(): QueueDepth {
    return queueDepth(...this.#all.map((engine) => engine.queueView))
  }

  /** Operations hooks are working on. Iterates over everything. */
  running(): Operation[] {
    return this.#all.flatMap((engine) => runningOperations(engine.queueView))
  }

  /** Whether anything unfinished is about an entity with such a key. Iterates over everything. */
  isAbout(concerns: (entityKey: string) => boolean): boolean {
    for (const engine of this.#all)
      for (const { entityKey } of engine.operations) if (concerns(entityKey)) return true
    return false
  }

  /** The operation unfinished longest. Iterates over everything. */
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

  /** Like {@link push}, but ahead of everything queued for its entity, because it is older. */
  pushFirst(operation: Operation): void {
    const { route } = operation
    if (route === undefined) {
      this.#main.pushFirst(operation)
      return
    }
    route.counters.receive()
    this.#byRoute.get(route)!.pushFirst(operation)
  }

  /** Like {@link Gate.resumeRefusals}, for the named route; does nothing for a former one. */
  resumeRefusals(name: string | undefined, run: number, reason: string | undefined): void {
    if (name === undefined) this.#main.gate.resumeRefusals(run, reason)
    for (const [route, engine] of this.#byRoute) {
      if (route.name === name) engine.gate.resumeRefusals(run, reason)
    }
  }

  /** No more operations are expected for now: send open batches as they are. */
  hurry(): void {
    for (const engine of this.#all) engine.hurry()
  }

  /** Resolves when everything has ended. Batches no longer wait to fill. */
  async drain(): Promise<void> {
    await Promise.all(this.#all.map((engine) => engine.drain()))
  }

  /** Resolves when no hook is running. */
  async rest(): Promise<void> {
    await Promise.all(this.#all.map((engine) => engine.rest()))
  }

  /** Stops starting operations. */
  stop(): void {
    for (const engine of this.#all) engine.stop()
  }

  /** Drops everything no hook is working on, and returns it. */
  clear(): Operation[] {
    return this.#all.flatMap((engine) => engine.clear())
  }
}

/** Shared by the engines of all routes. */
export type EngineOptions = Pick<RouteEngineOptions, 'counters' | 'clock' | 'random' | 'logger' | 'bulk'>

/** Specific to one route's engine. */
export type RouteParts = Omit<RouteEngineOptions, keyof EngineOptions | 'route'>
