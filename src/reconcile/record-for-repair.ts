import { type Outcome, overtakenOutcome } from '../events/event-counters.ts'
import { type Operation, type Repair } from '../events/operation.ts'
import { type EntityRecord } from '../store/state-store.ts'

/**
 * The record a repair's hooks need; or, if the situation has changed since the comparison, the outcome of
 * dropping the repair.
 *
 * @param record current id map row.
 */
export function recordForRepair(
  operation: Operation,
  repair: Repair,
  record: EntityRecord | undefined,
): EntityRecord | Outcome | undefined {
  if (repair.isOvertaken()) return overtakenOutcome
  // Its turn comes in the lane of its key.
  if (repair.itemKey !== undefined || repair.kind === 'deferred') return undefined
  if (repair.kind === 'orphan') {
    if (record !== undefined) return overtakenOutcome
    return { key: operation.key, stixId: operation.entity.id, externalId: repair.externalId }
  }
  if (record === undefined) return overtakenOutcome
  // Its events up to here stay known.
  operation.newerPosition = record.position
  // The target does not have it: treat it as never pushed.
  return operation.kind === 'delete' ? record : undefined
}
