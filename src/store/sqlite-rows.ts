import { compactId, textOfId } from './compact-id.ts'
import { compactPosition, textOfPosition } from './compact-position.ts'
import {
  type Claim,
  type DeadLetter,
  type EntityRecord,
  type ItemRecord,
  type NewDeadLetter,
} from './state-store.ts'

type Row = Readonly<Record<string, unknown>>

/** A value for a `?` in SQL. */
export type Parameter = string | number | bigint | null | Uint8Array

/** Columns of {@link entityOfRow} and {@link pushEntityParameters}, in order. */
export const entityColumns = 'key, stix_id, external_id, position, expires_at_ms, route, caught_up_ms'

export function pushEntityParameters(parameters: Parameter[], entity: EntityRecord): void {
  parameters.push(
    compactId(entity.key),
    compactId(entity.stixId),
    entity.externalId === undefined ? null : compactId(entity.externalId),
    entity.position === undefined ? null : compactPosition(entity.position),
    entity.expiresAtMs ?? null,
    entity.route ?? null,
    entity.caughtUpMs ?? null,
  )
}

/** @param key the key if already known, so that it need not be read. */
export function entityOfRow(row: Row, key = idOf(row['key'])): EntityRecord {
  const entity: { -readonly [K in keyof EntityRecord]: EntityRecord[K] } = {
    key,
    stixId: idOf(row['stix_id']),
  }
  // Missing rather than undefined, so that both stores return the same.
  if (row['external_id'] !== null) entity.externalId = idOf(row['external_id'])
  if (row['position'] !== null) entity.position = textOfPosition(row['position'] as number | string)
  if (row['expires_at_ms'] !== null) entity.expiresAtMs = row['expires_at_ms'] as number
  if (row['route'] !== null) entity.route = row['route'] as string
  if (row['caught_up_ms'] !== null) entity.caughtUpMs = row['caught_up_ms'] as number
  return entity
}

const idOf = (value: unknown) => textOfId(value as string | Uint8Array)

export function claimOfRow(row: Row): Claim {
  return { entity: row['entity'] as string, key: row['key'] as string, item: row['item'] as string }
}

export function itemOfRow(row: Row): ItemRecord {
  const record = { key: row['key'] as string, item: row['item'] as string }
  return row['external_id'] === null ? record : { ...record, externalId: row['external_id'] as string }
}

/** Columns of {@link deadLetterParameters}, in order. */
export const deadLetterColumns =
  'key, event_type, entity_id, entity_type, position, attempts, first_at_ms, last_at_ms, error, data'

export function deadLetterParameters(letter: NewDeadLetter): Parameter[] {
  return [
    letter.key ?? null,
    textParameter(letter.eventType),
    letter.entityId ?? null,
    letter.entityType ?? null,
    letter.position ?? null,
    letter.attempts,
    letter.firstAtMs,
    letter.lastAtMs,
    textParameter(letter.error),
    textParameter(letter.data),
  ]
}

export function deadLetterOfRow(row: Row): DeadLetter {
  const letter: { -readonly [K in keyof DeadLetter]: DeadLetter[K] } = {
    id: row['id'] as number,
    eventType: textOf(row['event_type']),
    attempts: row['attempts'] as number,
    firstAtMs: row['first_at_ms'] as number,
    lastAtMs: row['last_at_ms'] as number,
    error: textOf(row['error']),
    data: textOf(row['data']),
  }
  if (row['key'] !== null) letter.key = row['key'] as string
  if (row['route'] !== null) letter.route = row['route'] as string
  if (row['entity_id'] !== null) letter.entityId = row['entity_id'] as string
  if (row['entity_type'] !== null) letter.entityType = row['entity_type'] as string
  if (row['position'] !== null) letter.position = row['position'] as string
  if (row['outdated_by'] !== null) letter.outdatedBy = row['outdated_by'] as string
  if (row['replay'] !== null) letter.replay = row['replay'] as 'requested' | 'forced'
  return letter
}

/** Text from the network may contain a NUL, at which Node 22 truncates text from SQLite. */
export function textParameter(text: string): string | Uint8Array {
  return text.includes('\0') ? Buffer.from(text) : text
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : (value as string)
}
