import { describeError } from '../errors/verdict.ts'
import { type EventCounters, noRouteReason, type Outcome } from '../events/event-counters.ts'
import { PendingEvent } from '../events/pending-event.ts'
import { Operation, type Repair } from '../events/operation.ts'
import { Planner, type PlannerOptions } from '../events/planner.ts'
import { laneOf, type Route } from '../events/routes.ts'
import { type InFlightLimit } from '../flow/in-flight-limit.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type EntityRecord } from '../store/state-store.ts'
import { expiredEvent } from '../reconcile/repair-events.ts'
import { type Redactor } from '../util/redactor.ts'

/** Called when a repair or expiry has ended, with its outcome. */
type OnEnded = (outcome: Outcome) => void

/**
 * Puts operations without an event in the lanes: the repairs that a comparison found, and the withdrawal of
 * expired entities. They bypass the ledger.
 */
export class InternalEvents {
  readonly #options: InternalEventsOptions
  readonly #planner: Planner

  constructor(options: InternalEventsOptions) {
    this.#options = options
    this.#planner = new Planner(options)
  }

  /**
   * Takes a repair through the filter and the lanes, for the route where it was found. The connector's
   * counters ignore it: they count the stream.
   *
   * @param event a `create` with the entity's current state, or a `delete` that contains only its ids.
   */
  repair(event: StreamEvent, repair: Repair, onEnded: OnEnded): void {
    const { inFlight, engine, routes, redactor } = this.#options
    const settle = (settled: PendingEvent, outcome: Outcome) => {
      inFlight.release(settled.bytes)
      onEnded(outcome)
    }
    const delivery = new PendingEvent(event, { settle, shrink: (bytes) => inFlight.shrink(bytes) })
    let operation: Operation | undefined
    try {
      operation = this.#repairOperation(event, delivery, routes.named(repair.route ?? ''))
    } catch (error) {
      // A filter in code threw: one entity must not stop the repair of the others.
      onEnded({ kind: 'dead-lettered', reason: redactor.clean(describeError(error)) })
      return
    }
    if (operation === undefined) {
      onEnded({ kind: 'skipped', reason: noRouteReason })
      return
    }
    operation.origin = { kind: 'repair', repair }
    inFlight.take(event.bytes)
    engine.push(operation)
  }

  /**
   * Takes the withdrawal of an expired entity through the lanes as an event: the counters count it as received
   * and ended. The id map keeps it until it has ended.
   */
  expire(record: EntityRecord, onEnded: OnEnded): void {
    const { counters, inFlight, engine, routes, checkpointer } = this.#options
    const event = expiredEvent(record)
    const settle = (settled: PendingEvent, outcome: Outcome) => {
      inFlight.release(settled.bytes)
      counters.close(outcome)
      checkpointer.touch()
      onEnded(outcome)
    }
    const delivery = new PendingEvent(event, { settle, shrink: (bytes) => inFlight.shrink(bytes) })
    const operation = withdrawalOf(event, delivery, 'expired', routes.named(record.route ?? ''))
    operation.origin = { kind: 'expiry', dueAtMs: record.expiresAtMs! }
    counters.receive()
    inFlight.take(event.bytes)
    engine.push(operation)
  }

  /** The operation for a repair on the route where it was found; undefined if nothing uses that route anymore. */
  #repairOperation(
    event: StreamEvent,
    delivery: PendingEvent,
    route: Route | undefined,
  ): Operation | undefined {
    const { filter, routes } = this.#options
    if (event.name === 'delete') {
      if (route === undefined && routes.unrouted === 'nothing') return undefined
      // Filters and routes are not consulted: the event contains nothing they could judge.
      return withdrawalOf(event, delivery, 'reconciled', route)
    }
    const rejection = filter.rejects(event.entity)
    const planned = this.#planner.operationsOf(event, delivery, rejection?.reason)
    return planned.find((each) => each.route === route)
  }
}

export interface InternalEventsOptions extends PlannerOptions {
  readonly counters: EventCounters
  readonly inFlight: InFlightLimit
  readonly engine: { push(operation: Operation): void }
  /** Removes secrets from a text. */
  readonly redactor: Pick<Redactor, 'clean'>
  readonly checkpointer: { touch(): void }
}

/**
 * The operation that withdraws an entity from a route, in its current lane: the route may have had another
 * name.
 */
function withdrawalOf(
  { entity, key }: StreamEvent,
  delivery: PendingEvent,
  reason: Operation['reason'],
  route: Route | undefined,
): Operation {
  return new Operation('delete', delivery, entity, laneOf(key, route?.name), reason, [], route)
}
