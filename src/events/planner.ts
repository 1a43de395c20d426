import { listedSourcesOf, expiredType, isTold, type StreamEvent } from '../opencti/stream-event.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { isExpired, isRevoked } from '../stix/read/entity-life.ts'
import { entityKeyOf, previousStixIdOf } from '../stix/read/entity-ids.ts'
import { type Entity } from '../stix/types/entity.ts'
import { previousOf } from '../stix/read/patches.ts'
import { type Clock } from '../util/clock.ts'
import { noRouteReason } from './event-counters.ts'
import { type PendingEvent } from './pending-event.ts'
import { type Filter } from './filter.ts'
import { Operation } from './operation.ts'
import { type Route, type Routes } from './routes.ts'

/**
 * Turns an event into the operations the target needs: one for most events, one per affected entity for a
 * merge, and all of these per route. The id map says at an operation's turn what the entity was before, so a
 * route that does not accept an entity still gets the delete for what it may have received.
 */
export class Planner {
  readonly #options: PlannerOptions
  /** The entity before the event, computed once for all routes. */
  #previous: { readonly entity: Entity | undefined } | undefined

  constructor(options: PlannerOptions) {
    this.#options = options
  }

  /** @param rejected the filter's reason if the entity is rejected. */
  operationsOf(event: StreamEvent, delivery: PendingEvent, rejected: string | undefined): Operation[] {
    const { routes } = this.#options
    if (routes.areNone) return this.#operationsOf(event, delivery, rejected)
    const operations: Operation[] = []
    this.#previous = undefined
    if (routes.unrouted !== 'nothing') {
      const own = routes.unrouted === 'delivers' ? rejected : (rejected ?? noRouteReason)
      operations.push(...this.#operationsOf(event, delivery, own))
    }
    const isPush = event.name === 'create' || event.name === 'update'
    for (const route of routes.all) {
      const rejection = route.rejects(event.entity)
      // The route never had what it can never accept.
      if (rejection?.isForGood === true && isPush) continue
      operations.push(...this.#operationsOf(event, delivery, rejected ?? rejection?.reason, route))
    }
    this.#previous = undefined
    return operations
  }

  #operationsOf(
    event: StreamEvent,
    delivery: PendingEvent,
    rejected: string | undefined,
    route?: Route,
  ): Operation[] {
    const { entity, key } = event
    if (event.name === 'merge') return this.#mergeOperations(event, delivery, rejected, route)
    const former = this.#formerLane(event)
    if (event.name === 'delete') {
      const reason = deleteReasons.get(event.envelope.type ?? '') ?? 'deleted'
      const operation = operationOf('delete', delivery, entity, key, reason, former, route)
      if (rejected !== undefined) {
        operation.unlessPushed = rejected
        operation.mayHaveQualified = false
      }
      return [operation]
    }
    return [this.#pushOperation(event, delivery, rejected, former, route)]
  }

  #mergeOperations(
    event: StreamEvent,
    delivery: PendingEvent,
    rejected: string | undefined,
    route: Route | undefined,
  ): Operation[] {
    const { key } = event
    const sources = this.#options.listenDelete ? mergeSourcesOf(event) : noSources
    const lanes = [...new Set(sources.map((source) => entityKeyOf(source)))]
    const operations = [this.#pushOperation(event, delivery, rejected, lanes, route)]
    for (const source of sources) {
      const own = entityKeyOf(source)
      const others = [key, ...lanes.filter((lane) => lane !== own)]
      const operation = operationOf('delete', delivery, source, own, 'merged', others, route)
      const never = this.#neverTaken(source, route)
      if (never !== undefined) {
        operation.unlessPushed = never
        operation.mayHaveQualified = false
      }
      operations.push(operation)
    }
    return operations
  }

  /** Why an entity can never have been pushed; undefined if it can. */
  #neverTaken(entity: Entity, route: Route | undefined): string | undefined {
    const rejection = this.#options.filter.rejects(entity)
    if (rejection !== undefined) return rejection.isForGood ? rejection.reason : undefined
    const ofRoute = route?.rejects(entity)
    return ofRoute?.isForGood === true ? ofRoute.reason : undefined
  }

  #pushOperation(
    event: StreamEvent,
    delivery: PendingEvent,
    rejected: string | undefined,
    joined: readonly string[],
    route: Route | undefined,
  ): Operation {
    const { entity, key } = event
    const left = rejected === noRouteReason ? 'left-route' : 'left-filter'
    const withdrawal = rejected === undefined ? this.#end(entity, 'delete') : left
    if (withdrawal === undefined) {
      const kind = event.name === 'create' || this.#hasEntered(event, route) ? 'create' : 'update'
      const operation = operationOf(kind, delivery, entity, key, undefined, joined, route)
      operation.leftAsItIs = this.#end(entity, 'skip')
      return operation
    }
    const operation = operationOf('delete', delivery, entity, key, withdrawal, joined, route)
    operation.mayHaveQualified = this.#mayHaveQualified(event, withdrawal, route)
    const mayHavePassed = rejected !== undefined && operation.mayHaveQualified && !isTold(event)
    operation.unlessPushed = mayHavePassed ? 'never-pushed' : (rejected ?? withdrawal)
    return operation
  }

  /** Why an entity that passes the filter is removed or left unchanged; undefined if it is neither. */
  #end(entity: Entity, action: 'delete' | 'skip'): 'revoked' | 'expired' | undefined {
    const { on, filter } = this.#options.delivery
    if (entity.type !== 'indicator') return undefined
    // Someone who wants revoked indicators wants them in the target; the platform revokes expired ones.
    if (filter.revoked === 'only' && isRevoked(entity)) return undefined
    if (on.revoked === action && isRevoked(entity)) return 'revoked'
    if (on.expired === action && isExpired(entity, this.#options.clock.now())) return 'expired'
    return undefined
  }

  /**
   * Whether the entity passed the filter and belonged to the route before this event, judging by its patch. What a catch-up tells has
   * none: with an id map, only what never changes says that the entity cannot have been pushed.
   */
  #mayHaveQualified(event: StreamEvent, reason: Operation['reason'], route: Route | undefined): boolean {
    if (isTold(event))
      return this.#options.delivery.idMap && this.#neverTaken(event.entity, route) === undefined
    const previous = this.#previousState(event)
    if (previous === undefined) return false
    if (this.#options.filter.rejects(previous) !== undefined) return false
    // It went when it was revoked. That it expires is not told.
    if (reason === 'revoked' && isRevoked(previous)) return false
    return route === undefined ? this.#options.routes.unrouted === 'delivers' : !route.rejects(previous)
  }

  /**
   * Whether an update is the first event a route sees of an entity. Without an id map, only the patch can
   * tell.
   */
  #hasEntered(event: StreamEvent, route: Route | undefined): boolean {
    if (route === undefined || this.#options.delivery.idMap) return false
    const previous = this.#previousState(event)
    return previous !== undefined && route.rejects(previous) !== undefined
  }

  #previousState(event: StreamEvent): Entity | undefined {
    const patch = event.envelope.context?.reverse_patch
    if (patch === undefined) return undefined
    if (this.#options.routes.areNone) return previousOf(event.entity, patch)
    this.#previous ??= { entity: previousOf(event.entity, patch) }
    return this.#previous.entity
  }

  /**
   * An entity without an OpenCTI id is known by its STIX id, which a rename changes: both names are one lane.
   */
  #formerLane(event: StreamEvent): readonly string[] {
    if (event.key !== event.entity.id) return noLanes
    const former = previousStixIdOf(event.envelope.context?.reverse_patch)
    return former === undefined || former === event.key ? noLanes : [former]
  }
}

export interface PlannerOptions {
  /** Whether to remove what the platform deletes. */
  readonly listenDelete: boolean
  readonly filter: Filter
  readonly routes: Routes
  readonly delivery: DeliveryOptions
  readonly clock: Clock
}

/** The entities a merge removes, without its target; none for other events. */
export function mergeSourcesOf(event: StreamEvent): readonly Entity[] {
  if (event.name !== 'merge') return noSources
  return (listedSourcesOf(event) ?? []).filter(
    (source) => typeof source?.id === 'string' && entityKeyOf(source) !== event.key,
  )
}

const noSources: readonly Entity[] = []

/** The meaning of a delete, by what happened on the platform. Also parses dead letters of expiries. */
const deleteReasons: ReadonlyMap<string, Operation['reason']> = new Map([
  ['update', 'left-filter'],
  [expiredType, 'expired'],
])
const noLanes: readonly string[] = []

/** An operation in its entities' lanes on the route. */
function operationOf(
  kind: Operation['kind'],
  delivery: PendingEvent,
  entity: Entity,
  key: string,
  reason: Operation['reason'],
  joined: readonly string[],
  route: Route | undefined,
): Operation {
  if (route === undefined) return new Operation(kind, delivery, entity, key, reason, joined)
  const lanes = joined.length === 0 ? joined : joined.map((lane) => route.laneOf(lane))
  return new Operation(kind, delivery, entity, route.laneOf(key), reason, lanes, route)
}
