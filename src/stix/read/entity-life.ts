import { type Entity } from '../types/entity.ts'
import { openCtiFieldsOf } from '../types/entity-extensions.ts'
import { dateMsOf, dateTextOf, fieldsOf } from '../types/json-value.ts'

/**
 * When the platform created the entity, as an ISO timestamp with time zone (UTC if none was sent). Falls back
 * to `created_at` of the specification's shape, then to the author's `created`. Observables only have the
 * first (OpenCTI platform, database/stix-2-1-converter.ts).
 *
 * @example
 * ```ts
 * import { createdAtOf, type Entity } from 'opencti-stream-connector'
 *
 * const firstSeen = (entity: Entity) => createdAtOf(entity) ?? 'unknown'
 * ```
 */
export function createdAtOf(entity: Entity): string | undefined {
  return createdAs(entity, dateTextOf)
}

/** @internal {@link createdAtOf} in milliseconds since 1970. */
export function createdMsOf(entity: Entity): number | undefined {
  return createdAs(entity, dateMsOf)
}

function createdAs<T>(entity: Entity, read: (value: unknown) => T | undefined): T | undefined {
  const fields = fieldsOf(entity)
  return read(openCtiFieldsOf(fields)['created_at']) ?? read(fields['created_at']) ?? read(fields['created'])
}

/**
 * When the platform last updated the entity, as an ISO timestamp with time zone (UTC if none was sent). Falls
 * back to `updated_at` of the specification's shape, then to the author's `modified`. Observables only have
 * the first (OpenCTI platform, database/stix-2-1-converter.ts).
 *
 * @example
 * ```ts
 * import { updatedAtOf, type Entity } from 'opencti-stream-connector'
 *
 * const version = (entity: Entity) => Date.parse(updatedAtOf(entity) ?? '') || 0
 * ```
 */
export function updatedAtOf(entity: Entity): string | undefined {
  const fields = fieldsOf(entity)
  return (
    dateTextOf(openCtiFieldsOf(fields)['updated_at']) ??
    dateTextOf(fields['updated_at']) ??
    dateTextOf(fields['modified'])
  )
}

/**
 * Whether the author has revoked the entity (STIX 2.1, common property `revoked`).
 *
 * @example
 * ```ts
 * import { isRevoked, type Entity } from 'opencti-stream-connector'
 *
 * const status = (entity: Entity) => (isRevoked(entity) ? 'revoked' : 'active')
 * ```
 */
export function isRevoked(entity: Entity): boolean {
  return fieldsOf(entity)['revoked'] === true
}

/**
 * Whether a platform rule inferred the entity (OpenCTI extension, `is_inferred`).
 *
 * @example
 * ```ts
 * import { isInferred, type Entity } from 'opencti-stream-connector'
 *
 * const isByAnalyst = (entity: Entity) => !isInferred(entity)
 * ```
 */
export function isInferred(entity: Entity): boolean {
  return openCtiFieldsOf(fieldsOf(entity))['is_inferred'] === true
}

/**
 * Expiry of an indicator, as an ISO timestamp with time zone; undefined if it never expires (STIX 2.1,
 * indicator property `valid_until`). Accepts every form of RFC 3339; a time without time zone is UTC.
 *
 * @example
 * ```ts
 * import { validUntilOf, type Entity } from 'opencti-stream-connector'
 *
 * const expiry = (entity: Entity) => validUntilOf(entity) ?? 'never'
 * ```
 */
export function validUntilOf(entity: Entity): string | undefined {
  return dateTextOf(fieldsOf(entity)['valid_until'])
}

/**
 * Whether an indicator has expired at `atMs`: `valid_until` is the first moment it is no longer valid (STIX
 * 2.1, indicator property `valid_until`). Without such a date, or with an unreadable one, it never expires.
 *
 * @param atMs milliseconds since 1970, as from `Clock.now()`.
 *
 * @example
 * ```ts
 * import { isExpired, systemClock, type Entity } from 'opencti-stream-connector'
 *
 * const isOver = (entity: Entity) => isExpired(entity, systemClock.now())
 * ```
 */
export function isExpired(entity: Entity, atMs: number): boolean {
  const endMs = dateMsOf(fieldsOf(entity)['valid_until'])
  return endMs !== undefined && endMs <= atMs
}
