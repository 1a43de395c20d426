import { type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type Outcome } from './event-counters.ts'
import { type PendingEvent } from './pending-event.ts'
import { entityKeyOfLane, type Route } from './routes.ts'

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
 * - `reconciled`: a comparison found that it is gone at the platform, and nobody had said so;
 * - `changed`: the entity is still there, but no longer has this item, as when its pattern was changed.
 */
export type DeleteReason =
  'deleted' | 'left-filter' | 'left-route' | 'revoked' | 'expired' | 'merged' | 'reconciled' | 'changed'

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
  /** Since when it is in the hands of a hook or a batch, in the same way; -1 before that. */
  startedMs = -1
  /** Events that this one has replaced while they waited; they end when it ends. */
  replaced: PendingEvent[] | undefined
  /** A create that nobody saw was folded into it. */
  unseen = false
  /** Why nothing is done: what the target has of the entity, or has not, stays; undefined when something is. */
  leftAsItIs: 'revoked' | 'expired' | undefined
  /** Under which a delete is counted as skipped when the entity was never pushed. */
  unlessPushed = 'never-pushed'
  /** What `flush` is handed for it, once it was transformed; where there are no batches, nothing. */
  forFlush: unknown
  /** Why it is there. */
  origin: Origin = ofStream
  /** Position that the id map keeps, where it is newer than that of the operation's event: of what it replaces. */
  newerPosition: string | undefined
  /** The target does not know the entity before it. */
  isFirst = false
  /** It stands in this many lanes where it is not first yet. */
  blockedBy = 0
  /** The author's own code is at work on it, not the target. */
  isTransforming = false
  /** A hook is at work on it that does not end although its time is over: see `CONNECTOR_HOOK_TIMEOUT_MS`. */
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

  /** The entity's key, the same at every route. */
  get entityKey(): string {
    return this.route === undefined ? this.key : entityKeyOfLane(this.key, this.route.name)
  }

  /** The key of the item that it is about; undefined when it is about the entity as a whole. */
  get itemKey(): string | undefined {
    return undefined
  }

  /** Whether it has been handed to a hook or a batch. */
  get isStarted(): boolean {
    return this.startedMs >= 0
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

/**
 * Why an operation is there that no event has brought: a comparison found that the target is not as it should be.
 *
 * It stands in the lane of its entity as any other; when its turn comes and something has happened to the entity since it
 * was found, it has nothing more to say.
 */
export interface Repair {
  /**
   * `withdraw`: what is gone at the platform; `recreate`: what the target has lost; `orphan`: what is in the target, was
   * ours, and is not in the id map.
   */
  readonly kind: 'withdraw' | 'recreate' | 'orphan'
  /** The route where it was found; absent where there is none. */
  readonly route?: string | undefined
  /** The target's id of an orphan. */
  readonly externalId?: string | undefined
  /** Whether something has happened to the entity since. */
  readonly isOvertaken: () => boolean
}

/** Why an operation is there: an event asked for it, or a part of the connector that works without one. */
export type Origin =
  | { readonly kind: 'stream' }
  /** A dead letter is tried again. */
  | {
      readonly kind: 'replay'
      readonly letterId: number
      /** It is delivered also when the target has a newer state. */
      readonly isForced: boolean
      /** Other operations are tries of the same letter: what becomes of it is known when all of them have ended. */
      readonly isPart: boolean
    }
  /** A comparison found that the target is not as it should be. */
  | { readonly kind: 'repair'; readonly repair: Repair }
  /** The `valid_until` of what was pushed has come, in milliseconds since 1970. */
  | { readonly kind: 'expiry'; readonly dueAtMs: number }

export const ofStream: Origin = { kind: 'stream' }

/** What the tries of one operation have come to: retries, outages and dead letters are decided by it. */
export class Tries {
  /** How many there were, the present one included. */
  count = 0
  /** Failures that are held against the event itself, since the target worked for others. */
  charges = 0
  /** How often the target had worked for anybody when the last one failed; -1 before any has. */
  failedAtSuccess = -1
  /** Failures in a row that cannot have been the target's. */
  unexplained = 0
  /** How many failures count in the share of all tries, what they count, and since how many tries of all. */
  counted = 0
  ownFailures = 0
  ownFailuresAt = 0
  /** How often it was refused for good, and kept all the same as everything was; once for a dead letter that is tried again. */
  refusals = 0
  /** In milliseconds since 1970; 0 when none has failed. */
  firstFailedAtMs = 0
  lastFailedAtMs = 0
  /** Why the last one failed; empty when none has. */
  lastFailure = ''

  /** One has failed at this wall time, in milliseconds since 1970. */
  fail(nowMs: number, reason: string): void {
    this.lastFailure = reason
    if (this.firstFailedAtMs === 0) this.firstFailedAtMs = nowMs
    this.lastFailedAtMs = nowMs
  }
}
