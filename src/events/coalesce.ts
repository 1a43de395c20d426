import { type Operation } from './operation.ts'

/**
 * Replaces a queued operation with a newer one for the same entity. Each event carries the entity's full
 * state, so only the newest one matters: create and update become a create with the newest state; anything
 * followed by a delete becomes the delete. A create after a delete stays separate: the target must see both.
 * A merge affects other entities and is never folded.
 *
 * The earlier operation keeps its place in the lane, and its kind where that matters; its event ends, as
 * coalesced, when the newer one does.
 *
 * @returns whether it was replaced; if not, the newer one must wait for its turn.
 */
export function coalesce(earlier: Operation, newer: Operation): boolean {
  if (earlier.joined.length > 0 || newer.joined.length > 0) return false
  // A retried dead letter stands alone: it may be stale, and stays a dead letter if it fails. So do a repair
  // and an expiry, which are dropped if an event precedes them.
  if (newer.origin.kind !== 'stream') return false
  if (earlier.origin.kind === 'replay' || earlier.origin.kind === 'repair') return false
  // The state to leave unchanged in the target is the one the earlier operation produced.
  if (earlier.leftAsItIs !== undefined || newer.leftAsItIs !== undefined) return false
  if (earlier.kind === 'delete') return false
  if (newer.kind === 'delete') {
    if (earlier.kind === 'create') earlier.unseen = true
    earlier.kind = 'delete'
    earlier.reason = newer.reason
  } else if (earlier.kind === 'update') {
    earlier.kind = newer.kind
  }
  const replaced = earlier.pendingEvent
  replaced.letGo()
  if (earlier.replaced === undefined) earlier.replaced = [replaced]
  else earlier.replaced.push(replaced)
  earlier.pendingEvent = newer.pendingEvent
  earlier.entity = newer.entity
  return true
}
