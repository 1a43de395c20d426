import { type ResolvedRoute } from '../settings/schemas/route-schema.ts'
import { type Clock } from '../util/clock.ts'
import { EventCounters, noRouteReason } from './event-counters.ts'
import { type Entity } from '../stix/types/entity.ts'
import { Filter, type Rejection } from './filter.ts'

/** What becomes of an event beside the routes: it is delivered, only withdrawn, or nothing at all. */
export type Unrouted = 'delivers' | 'withdraws' | 'nothing'

/**
 * The routes of a connector: those of its settings, and those that it once had and through which something may still be
 * at the target.
 */
export class Routes {
  readonly #counters: EventCounters
  readonly #clock: Pick<Clock, 'now'>
  #all: readonly Route[]
  #unrouted: Unrouted

  constructor(configured: readonly ResolvedRoute[], counters: EventCounters, clock: Pick<Clock, 'now'>) {
    this.#counters = counters
    this.#clock = clock
    this.#all = configured.map((options) => new Route({ name: options.name, counters, options, clock }))
    this.#unrouted = configured.length === 0 ? 'delivers' : 'nothing'
  }

  get all(): readonly Route[] {
    return this.#all
  }

  get unrouted(): Unrouted {
    return this.#unrouted
  }

  /** There are no routes and never were any. */
  get areNone(): boolean {
    return this.#all.length === 0 && this.#unrouted === 'delivers'
  }

  /** The route of this name. */
  named(name: string): Route | undefined {
    return this.#all.find((route) => route.name === name)
  }

  /**
   * Something may have been pushed through routes of these names; the empty name stands for what was pushed when there were
   * none.
   *
   * @returns the names that no route has: what was pushed through them is withdrawn.
   */
  recall(names: Iterable<string>): readonly string[] {
    const gone: string[] = []
    for (const name of names) {
      if (this.named(name) !== undefined) continue
      if (name === '') {
        if (this.#unrouted !== 'nothing') continue
        this.#unrouted = 'withdraws'
      } else {
        this.#all = [...this.#all, new Route({ name, counters: this.#counters, clock: this.#clock })]
      }
      gone.push(name)
    }
    return gone
  }
}

/** Between an entity's key and the name of a route. */
const separator = '@'

/** What a {@link Route} is made from. */
export interface RouteSource {
  readonly name: string
  /** The counters of the connector as a whole, which count its retries too. */
  readonly counters: EventCounters
  /** Its conditions; absent for a route that existed once, which takes nothing any more. */
  readonly options?: ResolvedRoute | undefined
  readonly clock: Pick<Clock, 'now'>
}

/**
 * A way to the target, or to one of its channels, with its own conditions, lanes, limits and account. What an entity is at
 * one route does not depend on any other.
 */
export class Route {
  readonly name: string
  /** What became of its operations. */
  readonly counters: EventCounters
  readonly #filter: Filter | undefined

  constructor({ name, counters, options, clock }: RouteSource) {
    this.name = name
    this.counters = new EventCounters(counters)
    this.#filter = options === undefined ? undefined : new Filter(options.conditions, clock)
  }

  /** Whether it is in the settings; if not, it only withdraws what was pushed through it. */
  get isConfigured(): boolean {
    return this.#filter !== undefined
  }

  /** Why it does not take an entity; undefined when it does. */
  rejects(entity: Entity): Rejection | undefined {
    if (this.#filter === undefined) return noRoute
    const rejection = this.#filter.rejects(entity)
    if (rejection === undefined) return undefined
    return rejection.isForGood ? neverThisRoute : noRoute
  }

  /** The lane, and the place in the id map, that an entity has at this route. */
  laneOf(entityKey: string): string {
    return laneOf(entityKey, this.name)
  }
}

const noRoute: Rejection = { reason: noRouteReason, isForGood: false }
const neverThisRoute: Rejection = { reason: noRouteReason, isForGood: true }

/** The lane that an entity has at the route of this name; its own key when there is no route, or the name is empty. */
export function laneOf(entityKey: string, route: string | undefined): string {
  return route === undefined || route === '' ? entityKey : `${entityKey}${separator}${route}`
}

/** The entity's key that a lane was made from. */
export function entityKeyOfLane(lane: string, route: string | undefined): string {
  return route === undefined ? lane : lane.slice(0, lane.length - separator.length - route.length)
}
