import { type Outcome, overtakenOutcome } from '../events/event-counters.ts'
import { type Operation, type Repair } from '../events/operation.ts'
import { type EntityRecord } from '../store/state-store.ts'

/**
 * What the hooks have to know of the entity when it is the turn of a repair; the outcome of what is left out when things are not as the
 * comparison found them.
 *
 * @param record what the id map says now.
 */
export function recordForRepair(
  operation: Operation,
  repair: Repair,
  record: EntityRecord | undefined,
): EntityRecord | Outcome | undefined {
  if (repair.isOvertaken()) return overtakenOutcome
  if (repair.kind === 'orphan') {
    if (record !== undefined) return overtakenOutcome
    return { key: operation.key, stixId: operation.entity.id, externalId: repair.externalId }
  }
  if (record === undefined) return overtakenOutcome
  // Its events up to here stay known.
  operation.newerPosition = record.position
  // The target does not have it: as if it had never been pushed.
  return operation.kind === 'delete' ? record : undefined
}
