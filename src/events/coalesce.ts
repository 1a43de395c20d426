import { type Operation } from './operation.ts'

/**
 * Lets a newer operation of an entity take the place of an earlier one that still waits. Each event carries the whole
 * state of its entity, so only the newest has to be told: create and update become a create with the newest state,
 * anything and a delete become the delete. A create after a delete stays two: the target must see both. A merge
 * touches other entities and is never folded.
 *
 * The earlier operation keeps its place in the lane and its kind where that matters; its event ends, as coalesced,
 * when the newer one does.
 *
 * @returns whether it was done; if not, the newer one has to wait its turn.
 */
export function coalesce(earlier: Operation, newer: Operation): boolean {
  if (earlier.joined.length > 0 || newer.joined.length > 0) return false
  // A dead letter that is tried again is decided on its own: it may be stale, and stays one when it fails. So are a repair
  // and an expiry, which are left out when an event comes before them.
  if (newer.origin.kind !== 'stream') return false
  if (earlier.origin.kind === 'replay' || earlier.origin.kind === 'repair') return false
  // What is left as it is at the target is what the earlier one has made of it.
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
