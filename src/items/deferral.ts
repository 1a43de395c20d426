import { type Outcome } from '../events/event-counters.ts'
import { laneOf } from '../events/routes.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'

/**
 * Takes the place of an entity: it claims items that are kept in the target because their claims are unknown.
 * Its claims are open ones, which add nothing to the content of the others.
 */
const deferring = 'deferred'

/** Outcome of an item without a visible claim while not all claims are known. */
export const deferred: Outcome = { kind: 'skipped', reason: 'deferred' }

/** The placeholder that claims a route's kept items. */
export function deferringAt(route: string | undefined): string {
  return laneOf(deferring, route)
}

/** Withdraws the placeholder and its claims. */
export const deferralEvent: StreamEvent = deleteOf({ type: 'unknown', id: deferring } as unknown as Entity)

function deleteOf(entity: Entity): StreamEvent {
  return {
    name: 'delete',
    position: undefined,
    entity,
    key: deferring,
    isDependency: false,
    envelope: { data: entity },
    bytes: deferring.length,
  }
}
