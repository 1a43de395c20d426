import { type Operation } from '../events/operation.ts'
import { type Repair } from '../events/repair.ts'
import { type EntityRecord } from '../store/state-store.ts'

/**
 * What the hooks have to know of the entity when it is the turn of a repair; `overtaken` when things are not as the
 * comparison found them.
 *
 * @param record what the id map says now.
 */
export function recordForRepair(
  operation: Operation,
  repair: Repair,
  record: EntityRecord | undefined,
): EntityRecord | undefined | 'overtaken' {
  if (repair.isOvertaken()) return 'overtaken'
  if (repair.kind === 'orphan') {
    if (record !== undefined) return 'overtaken'
    return { key: operation.key, stixId: operation.entity.id, externalId: repair.externalId }
  }
  if (record === undefined) return 'overtaken'
  // Its events up to here stay known.
  operation.newerPosition = record.position
  // The target does not have it: as if it had never been pushed.
  return operation.kind === 'delete' ? record : undefined
}
