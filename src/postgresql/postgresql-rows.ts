import { type Claim, type DeadLetter, type EntityRecord, type ItemRecord } from '../store/state-store.ts'
import { textOfStored } from './stored-text.ts'

type Text = string | null

export interface EntityRow {
  readonly key: string
  readonly full_key: Text
  readonly stix_id: string
  readonly external_id: Text
  readonly position: Text
  readonly expires_at_ms: number | null
  readonly route: Text
  readonly caught_up_ms: number | null
}

/** Columns of an {@link EntityRow}. */
export const entityColumns =
  'key, full_key, stix_id, external_id, position, expires_at_ms, route, caught_up_ms'

export function entityOfRow(row: EntityRow): EntityRecord {
  return withoutNulls({
    key: textOfStored(row.full_key ?? row.key),
    stixId: textOfStored(row.stix_id),
    externalId: textOf(row.external_id),
    position: row.position,
    expiresAtMs: row.expires_at_ms,
    route: textOf(row.route),
    caughtUpMs: row.caught_up_ms,
  })
}

export interface ClaimRow {
  readonly entity: string
  readonly key: string
  readonly full_entity: Text
  readonly full_key: Text
  readonly item: string
}

/** Columns of a {@link ClaimRow}. */
export const claimColumns = 'entity, key, full_entity, full_key, item'

export function claimOfRow(row: ClaimRow): Claim {
  return {
    entity: textOfStored(row.full_entity ?? row.entity),
    key: textOfStored(row.full_key ?? row.key),
    item: textOfStored(row.item),
  }
}

export interface ItemRow {
  readonly key: string
  readonly full_key: Text
  readonly external_id: Text
  readonly item: string
}

/** Columns of an {@link ItemRow}. */
export const itemColumns = 'key, full_key, external_id, item'

export function itemOfRow(row: ItemRow): ItemRecord {
  return withoutNulls({
    key: textOfStored(row.full_key ?? row.key),
    externalId: textOf(row.external_id),
    item: textOfStored(row.item),
  })
}

export interface DeadLetterRow {
  readonly id: string
  readonly key: Text
  readonly route: Text
  readonly event_type: string
  readonly entity_id: Text
  readonly entity_type: Text
  readonly position: Text
  readonly attempts: number
  readonly first_at_ms: number
  readonly last_at_ms: number
  readonly error: string
  readonly data: string
  readonly replay: 'requested' | 'forced' | null
  readonly outdated_by: Text
}

/** Columns of a {@link DeadLetterRow}, but not `data`. */
export const deadLetterColumns =
  'id, key, route, event_type, entity_id, entity_type, position, attempts, first_at_ms, last_at_ms, error, replay, outdated_by'

export function deadLetterOfRow(row: DeadLetterRow): DeadLetter {
  return withoutNulls({
    id: Number(row.id),
    key: textOf(row.key),
    route: textOf(row.route),
    eventType: textOfStored(row.event_type),
    entityId: textOf(row.entity_id),
    entityType: textOf(row.entity_type),
    position: textOf(row.position),
    attempts: row.attempts,
    firstAtMs: row.first_at_ms,
    lastAtMs: row.last_at_ms,
    error: textOfStored(row.error),
    data: textOfStored(row.data),
    replay: row.replay,
    outdatedBy: textOf(row.outdated_by),
  })
}

const textOf = (text: Text) => (text === null ? null : textOfStored(text))

/** Missing rather than null, so that all stores return the same. */
function withoutNulls<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null)) as {
    [K in keyof T]: Exclude<T[K], null>
  }
}
