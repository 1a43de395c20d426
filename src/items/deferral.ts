import { type Outcome } from '../events/event-counters.ts'
import { laneOf } from '../events/routes.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'

/**
 * In place of an entity: it claims what is not removed from the target yet, since it is not known whether anything else claims
 * it. The claims are open ones, which add nothing to what the others say.
 */
const deferring = 'deferred'

/** How an item ends that nothing seems to claim while not all claims are known. */
export const deferred: Outcome = { kind: 'skipped', reason: 'deferred' }

/** What claims, at a route, what is not removed from it yet. */
export function deferringAt(route: string | undefined): string {
  return laneOf(deferring, route)
}

/** That it goes, and its claims with it. */
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
