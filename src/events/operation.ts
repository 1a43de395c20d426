import { type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type Outcome } from './event-counters.ts'
import { type Origin, ofStream } from './origin.ts'
import { type PendingEvent } from './pending-event.ts'
import { entityKeyOfLane, type Route } from './route.ts'
import { Tries } from './tries.ts'

/** What a hook is asked to do at the target. */
export type OperationKind = 'create' | 'update' | 'delete'

/**
 * Why an entity has to go from the target:
 * - `deleted`: it was deleted at the platform;
 * - `left-filter`: it is still there, but no longer matches the stream's or the connector's filter, or `transform` makes
 *   nothing of it any more;
 * - `left-route`: it is still there and passes the filter, but no longer belongs to this route;
 * - `revoked`, `expired`: it is no longer valid;
 * - `merged`: it was merged into another entity;
 * - `reconciled`: a comparison found that it is gone at the platform, and nobody had said so.
 */
export type DeleteReason =
  'deleted' | 'left-filter' | 'left-route' | 'revoked' | 'expired' | 'merged' | 'reconciled'

/** One effect on the target, for one entity, through one route: an event is one of them, a merge several. */
export class Operation {
  /** May change until it is started: an update of what was never created becomes a create. */
  kind: OperationKind
  pendingEvent: PendingEvent
  entity: Entity
  /** The entity's lane: its key, and the name of the route where there is one. */
  readonly key: string
  /** Lanes that it has to be first in, beside its own: those of the entities that it is merged with. */
  readonly joined: readonly string[]
  reason: DeleteReason | undefined
  /** Through which it goes; undefined where there are no routes. */
  readonly route: Route | undefined
  /** What its tries have come to so far. */
  readonly tries = new Tries()
  /** Since when it is waited for its end, on the monotonic clock, in whole milliseconds. */
  pushedMs = 0
  /** Since when a call for it is under way, in the same way. */
  startedMs = 0
  /** Events that this one has replaced while they waited; they end when it ends. */
  replaced: PendingEvent[] | undefined
  /** A create that nobody saw was folded into it. */
  unseen = false
  /** Why nothing is done: what the target has of the entity, or has not, stays; undefined when something is. */
  leftAsItIs: 'revoked' | 'expired' | undefined
  /** Under which a delete is counted as skipped when the entity was never pushed. */
  unlessPushed = 'never-pushed'
  /** The author's shape of the entity, once it was transformed; and what goes with it to the hook. */
  item: unknown
  context: unknown
  /** Why it is there. */
  origin: Origin = ofStream
  /** Position that the id map keeps, where it is newer than that of the operation's event: of what it replaces. */
  newerPosition: string | undefined
  /** The target does not know the entity before it. */
  isFirst = false
  /** It stands in this many lanes where it is not first yet. */
  blockedBy = 0
  /** It has been handed to a hook or a batch. */
  isStarted = false
  /** The author's own code is at work on it, not the target. */
  isTransforming = false
  /** A hook is at work on it that does not end although its time is over: see `CONNECTOR_HOOK_TIMEOUT_MS`. */
  isOverdue = false
  /** Told when that begins, with the error that it is; set while a hook is at work. */
  onOverdue: ((operation: Operation, error: unknown) => void) | undefined

  constructor(
    kind: OperationKind,
    delivery: PendingEvent,
    entity: Entity,
    key: string,
    reason?: DeleteReason | undefined,
    joined: readonly string[] = noLanes,
    route?: Route | undefined,
  ) {
    this.kind = kind
    this.pendingEvent = delivery
    this.entity = entity
    this.key = key
    this.reason = reason
    this.joined = joined
    this.route = route
  }

  /** The entity's key, the same at every route. */
  get entityKey(): string {
    return this.route === undefined ? this.key : entityKeyOfLane(this.key, this.route.name)
  }

  /** Neither it nor, for a dead letter, its event has ever been tried: whether it works says nothing of itself yet. */
  get isUntried(): boolean {
    return this.tries.lastFailedAtMs === 0 && this.origin.kind !== 'replay'
  }

  /** The dead letter that has ended when this has. */
  get replayedAlone(): number | undefined {
    return this.origin.kind === 'replay' && !this.origin.isPart ? this.origin.letterId : undefined
  }

  /** It has ended, and with it all that it has replaced, which ended as `replaced` says. */
  finish(outcome: Outcome, replaced: Outcome = coalesced): void {
    for (const delivery of this.replaced ?? []) {
      this.route?.counters.close(replaced)
      delivery.finishReplaced(replaced)
    }
    this.route?.counters.close(outcome, this.origin.kind === 'replay')
    this.pendingEvent.finish(outcome)
  }

  get event(): StreamEvent {
    return this.pendingEvent.event
  }
}

const coalesced: Outcome = { kind: 'skipped', reason: 'coalesced' }
const noLanes: readonly string[] = []
