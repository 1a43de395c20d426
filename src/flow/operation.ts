import { type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/entity.ts'
import { type Delivery } from './delivery.ts'

/** What a hook is asked to do at the target. */
export type OperationKind = 'create' | 'update' | 'delete'

/**
 * Why an entity has to go from the target:
 * - `deleted`: it was deleted at the platform;
 * - `left-filter`: it is still there, but no longer matches the stream's or the connector's filter;
 * - `revoked`, `expired`: it is no longer valid;
 * - `merged`: it was merged into another entity.
 */
export type DeleteReason = 'deleted' | 'left-filter' | 'revoked' | 'expired' | 'merged'

/** One effect on the target, for one entity: an event is one of them, a merge several. */
export class Operation {
  /** May change until it is started: an update of what was never created becomes a create. */
  kind: OperationKind
  delivery: Delivery
  entity: Entity
  /** The entity's lane. */
  readonly key: string
  /** Lanes that it has to be first in, beside its own: those of the entities that it is merged with. */
  readonly joined: readonly string[]
  reason: DeleteReason | undefined
  /** Tries so far, the present one included. */
  attempts = 0
  /** Failures that are held against the event itself, since the target worked for others. */
  charges = 0
  /** How often the target had worked when it failed last. */
  failedAtSuccess = -1
  /** Whether the last failure may have been the target's. */
  failureOfTarget = false
  firstFailedAtMs = 0
  lastFailedAtMs = 0
  /** Events that this one has replaced while they waited; they end when it ends. */
  replaced: Delivery[] | undefined
  /** A create that nobody saw was folded into it. */
  unseen = false
  /** Under which a delete is counted as skipped when the entity was never pushed. */
  unlessPushed = 'never-pushed'
  /** The author's shape of the entity, once it was transformed; and what goes with it to the hook. */
  item: unknown
  context: unknown
  /** The dead letter that it is another try of. */
  replayOf: number | undefined
  /** The dead letter is delivered also when the target has a newer state. */
  isForced = false
  /** Position of the newer state that it replaces when it is forced. */
  newerPosition: string | undefined
  /** It stands in this many lanes where it is not first yet. */
  blockedBy = 0
  /** It has been handed to a hook or a batch. */
  isStarted = false
  /** The author's own code is at work on it, not the target. */
  isTransforming = false

  constructor(
    kind: OperationKind,
    delivery: Delivery,
    entity: Entity,
    key: string,
    reason?: DeleteReason | undefined,
    joined: readonly string[] = noLanes,
  ) {
    this.kind = kind
    this.delivery = delivery
    this.entity = entity
    this.key = key
    this.reason = reason
    this.joined = joined
  }

  /** It failed at this wall time, in milliseconds since 1970. */
  noteFailure(nowMs: number): void {
    if (this.firstFailedAtMs === 0) this.firstFailedAtMs = nowMs
    this.lastFailedAtMs = nowMs
  }

  get event(): StreamEvent {
    return this.delivery.event
  }
}

const noLanes: readonly string[] = []
