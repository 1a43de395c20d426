import { type ResolvedRoute } from '../settings/schemas/route-schema.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type Clock } from '../util/clock.ts'
import { EventCounters, noRouteReason } from './event-counters.ts'
import { Filter, type Rejection } from './filter.ts'

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
