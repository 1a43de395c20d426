import { type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type Outcome } from './event-counters.ts'
import { type PendingEvent } from './pending-event.ts'
import { entityKeyOfLane, type Route } from './routes.ts'

/** What a hook does to the target. */
export type OperationKind = 'create' | 'update' | 'delete'

/**
 * Why an entity must be withdrawn from the target:
 * - `deleted`: it was deleted on the platform;
 * - `left-filter`: it still exists, but no longer matches the stream's or the connector's filter, or
 *   `transform` no longer returns anything for it;
 * - `left-route`: it still exists and passes the filter, but no longer belongs to this route;
 * - `revoked`, `expired`: it is no longer valid;
 * - `merged`: it was merged into another entity;
 * - `reconciled`: a comparison found that it is gone from the platform, without an event;
 * - `changed`: the entity still exists but no longer has this item, for example because its pattern changed.
 */
export type DeleteReason =
  'deleted' | 'left-filter' | 'left-route' | 'revoked' | 'expired' | 'merged' | 'reconciled' | 'changed'

/**
 * One effect on the target, for one entity, through one route. Most events are one operation; a merge is
 * several.
 */
export class Operation {
  /** Can change until it starts: an update of an entity that was never created becomes a create. */
  kind: OperationKind
  pendingEvent: PendingEvent
  entity: Entity
  /** The entity's lane: its key, plus the route name if there is one. */
  readonly key: string
  /** Additional lanes in which it must be first: those of merged entities. */
  readonly joined: readonly string[]
  reason: DeleteReason | undefined
  /** Route of the operation. Undefined without routes. */
  readonly route: Route | undefined
  /** Outcome of its attempts so far. */
  readonly attempts = new Attempts()
  /** When it was queued, on the monotonic clock, in whole milliseconds. */
  pushedMs = 0
  /** When a hook or batch took it, likewise; -1 before that. */
  startedMs = -1
  /** Events this one replaced in the queue; they end when it does. */
  replaced: PendingEvent[] | undefined
  /** A create the target never saw was folded into it. */
  unseen = false
  /** Why nothing is done and the target stays as it is; undefined if something is done. */
  leftAsItIs: 'revoked' | 'expired' | undefined
  /** Skip reason for the delete of an entity that was never pushed. */
  unlessPushed = 'never-pushed'
  /** Whether the entity may have qualified before, as far as its event tells. Without it, a delete has nothing to remove. */
  mayHaveQualified = true
  /** Transformed item for `flush`; unused without batches. */
  forFlush: unknown
  /** Why the operation exists. */
  origin: Origin = ofStream
  /** Position to store in the id map, if newer than that of its own event, because of replaced events. */
  newerPosition: string | undefined
  /** What its calls are recognized by; set when a hook first asks. */
  idempotencyKey: string | undefined
  /** The target did not know the entity before. */
  isFirst = false
  /** Number of lanes in which it is not first yet. */
  blockedBy = 0
  /** The author's own code is running, not the target. */
  isTransforming = false
  /** A hook ignores that its time is over: see `CONNECTOR_HOOK_TIMEOUT_MS`. */
  isOverdue = false

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

  /** The entity's key, the same on every route. */
  get entityKey(): string {
    return this.route === undefined ? this.key : entityKeyOfLane(this.key, this.route.name)
  }

  /** The key of the item that it is about; undefined when it is about the entity as a whole. */
  get itemKey(): string | undefined {
    return undefined
  }

  /** Whether a hook or batch has taken it. */
  get isStarted(): boolean {
    return this.startedMs >= 0
  }

  /**
   * Whether neither it nor, for a dead letter, its event has ever been attempted, so that its success does
   * not depend on itself.
   */
  get isUntried(): boolean {
    return this.attempts.lastFailedAtMs === 0 && this.origin.kind !== 'replay'
  }

  /** Dead letter that ends together with this operation. */
  get replayedAlone(): number | undefined {
    return this.origin.kind === 'replay' && !this.origin.isPart ? this.origin.letterId : undefined
  }

  /** Ends it, and everything it replaced with the outcome `replaced`. */
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

/**
 * Why an operation without an event exists: a comparison found a difference.
 *
 * It queues in its entity's lane like any other operation, and is dropped at its turn if something has
 * happened to the entity since.
 */
export interface Repair {
  /**
   * `withdraw`: gone from the platform; `recreate`: lost by the target; `orphan`: in the target, ours, and
   * not in the id map; `deferred`: items that were kept while their claims were unknown.
   */
  readonly kind: 'withdraw' | 'recreate' | 'orphan' | 'deferred'
  /** The item's key as the author returned it. Undefined if the repair concerns the whole entity. */
  readonly itemKey?: string | undefined
  /** Route where it was found. Undefined if there is none. */
  readonly route?: string | undefined
  /** The target's id of an orphan. */
  readonly externalId?: string | undefined
  /** Whether something has happened to the entity since. */
  readonly isOvertaken: () => boolean
}

/** Why an operation exists: an event, or a part of the connector that works without one. */
export type Origin =
  | { readonly kind: 'stream' }
  /** Retry of a dead letter. */
  | {
      readonly kind: 'replay'
      readonly letterId: number
      /** Deliver even if the target has newer state. */
      readonly isForced: boolean
      /** The letter has other operations; its outcome is known once all have ended. */
      readonly isPart: boolean
    }
  /** A comparison found a difference. */
  | { readonly kind: 'repair'; readonly repair: Repair }
  /** The `valid_until` of a pushed entity has passed, in milliseconds since 1970. */
  | { readonly kind: 'expiry'; readonly dueAtMs: number }

export const ofStream: Origin = { kind: 'stream' }

/** Outcomes of one operation's attempts, the basis for retries, outages, and dead letters. */
export class Attempts {
  /** Number of attempts, including the current one. */
  count = 0
  /** Failures attributed to the event, because the target worked for others. */
  charges = 0
  /** Number of successes of the target at the last failure; -1 before any failure. */
  failedAtSuccess = -1
  /** Consecutive failures that cannot be the target's. */
  unexplained = 0
  /** All failures of that kind, except during an outage. */
  own = 0
  /** How many failures count in the share of all attempts, their weight, and since how many attempts. */
  counted = 0
  ownFailures = 0
  ownFailuresAt = 0
  /**
   * Number of refusals after which it was kept because everything was refused; 1 for a retried dead letter.
   */
  refusals = 0
  /** In milliseconds since 1970; 0 if none has failed. */
  firstFailedAtMs = 0
  lastFailedAtMs = 0
  /** Why the last attempt failed; empty if none has. */
  lastFailure = ''

  /** Records a failure at this wall time, in milliseconds since 1970. */
  fail(nowMs: number, reason: string): void {
    this.lastFailure = reason
    if (this.firstFailedAtMs === 0) this.firstFailedAtMs = nowMs
    this.lastFailedAtMs = nowMs
  }
}
