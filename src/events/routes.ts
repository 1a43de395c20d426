import { type ResolvedRoute } from '../settings/schemas/route-schema.ts'
import { type Clock } from '../util/clock.ts'
import { EventCounters, noRouteReason } from './event-counters.ts'
import { type Entity } from '../stix/types/entity.ts'
import { Filter, type Rejection } from './filter.ts'

/** What happens to an event outside the routes: it is delivered, only removed, or nothing. */
export type Unrouted = 'delivers' | 'withdraws' | 'nothing'

/**
 * A connector's routes: the configured ones, and former ones through which something may still be in the
 * target.
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

  /** The route with this name. */
  named(name: string): Route | undefined {
    return this.#all.find((route) => route.name === name)
  }

  /**
   * Recalls route names through which something may have been pushed; the empty name means without a route.
   *
   * @returns names no configured route has; what was pushed through them is removed.
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

/** Separates an entity's key from the route name. */
const separator = '@'

/** Input of a {@link Route}. */
export interface RouteSource {
  readonly name: string
  /** Counters of the whole connector, which count its retries, too. */
  readonly counters: EventCounters
  /** Its conditions. Undefined for a former route, which accepts nothing. */
  readonly options?: ResolvedRoute | undefined
  readonly clock: Pick<Clock, 'now'>
}

/**
 * A way to the target or one of its channels, with its own conditions, lanes, limits, and counters. What an
 * entity is on one route does not depend on any other.
 */
export class Route {
  readonly name: string
  /** Outcomes of its operations. */
  readonly counters: EventCounters
  readonly #filter: Filter | undefined

  constructor({ name, counters, options, clock }: RouteSource) {
    this.name = name
    this.counters = new EventCounters(counters)
    this.#filter = options === undefined ? undefined : new Filter(options.conditions, clock)
  }

  /** Whether it is configured. If not, it only removes what was pushed through it. */
  get isConfigured(): boolean {
    return this.#filter !== undefined
  }

  /** Why it does not accept an entity; undefined if it does. */
  rejects(entity: Entity): Rejection | undefined {
    if (this.#filter === undefined) return noRoute
    const rejection = this.#filter.rejects(entity)
    if (rejection === undefined) return undefined
    return rejection.isForGood ? neverThisRoute : noRoute
  }

  /** An entity's lane, and its id map key, on this route. */
  laneOf(entityKey: string): string {
    return laneOf(entityKey, this.name)
  }
}

const noRoute: Rejection = { reason: noRouteReason, isForGood: false }
const neverThisRoute: Rejection = { reason: noRouteReason, isForGood: true }

/** An entity's lane on the route with this name; its own key if there is no route or the name is empty. */
export function laneOf(entityKey: string, route: string | undefined): string {
  return route === undefined || route === '' ? entityKey : `${entityKey}${separator}${route}`
}

/** The entity key from which a lane was made. */
export function entityKeyOfLane(lane: string, route: string | undefined): string {
  return route === undefined ? lane : lane.slice(0, lane.length - separator.length - route.length)
}
