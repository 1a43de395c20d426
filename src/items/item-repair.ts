import { ItemWork } from '../events/item-operation.ts'
import { type Operation, type Repair } from '../events/operation.ts'
import { itemPlace } from './item-place.ts'
import { type ItemRecord } from '../store/state-store.ts'

/** The repair of one item that a comparison requested; undefined for any other operation. */
export function repairOf({ origin }: Operation): (Repair & { readonly itemKey: string }) | undefined {
  if (origin.kind !== 'repair' || origin.repair.itemKey === undefined) return undefined
  return { ...origin.repair, itemKey: origin.repair.itemKey }
}

/** Whether an operation is about items rather than an entity. */
export function isAboutItems(operation: Operation): boolean {
  const { origin } = operation
  return repairOf(operation) !== undefined || (origin.kind === 'repair' && origin.repair.kind === 'deferred')
}

/** The change for the repair of an item: it changes no claim, and applies all claims combined. */
export function workOfRepair(operation: Operation): ItemWork | undefined {
  const repair = repairOf(operation)
  if (repair === undefined) return undefined
  const name = repair.itemKey
  const change = { name, key: itemPlace(name, operation.route?.name), before: undefined, after: undefined }
  return new ItemWork(operation, [change], false)
}

/**
 * Whether the item has changed since the comparison.
 *
 * @param combined all claims on the key, combined; undefined if there are none.
 * @param record what the target last received.
 */
export function isOvertaken(
  { kind, isOvertaken: isChanged }: Repair,
  combined: string | undefined,
  record: ItemRecord | undefined,
): boolean {
  if (isChanged()) return true
  if (kind === 'orphan') return record !== undefined || combined !== undefined
  return record === undefined || (kind === 'withdraw' && combined !== undefined)
}

/**
 * What the target has according to the comparison: nothing if it lost the item, and an unknown one under its
 * own id.
 */
export function atTarget(
  { kind, externalId }: Repair,
  key: string,
  record: ItemRecord | undefined,
  combined: string | undefined,
): ItemRecord | undefined {
  if (kind === 'orphan') return { key, externalId, item: '' }
  return kind === 'recreate' && combined !== undefined ? undefined : record
}
