import { type Entity } from '../types/entity.ts'
import { openCtiFieldsOf } from '../types/entity-extensions.ts'
import { dateMsOf, dateTextOf, fieldsOf } from '../types/json-value.ts'

/**
 * When the entity came into its platform, as ISO text that names its zone (a time without one is UTC); else the `created_at` of the specification's shape, else the
 * `created` of its author. Observables have only the first (OpenCTI platform, database/stix-2-1-converter.ts).
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

/** @internal The same in milliseconds since 1970. */
export function createdMsOf(entity: Entity): number | undefined {
  return createdAs(entity, dateMsOf)
}

function createdAs<T>(entity: Entity, read: (value: unknown) => T | undefined): T | undefined {
  const fields = fieldsOf(entity)
  return read(openCtiFieldsOf(fields)['created_at']) ?? read(fields['created_at']) ?? read(fields['created'])
}

/**
 * When the entity last changed at its platform, as ISO text that names its zone (a time without one is UTC); else the `updated_at` of the specification's shape, else
 * the `modified` of its author. Observables have only the first (OpenCTI platform, database/stix-2-1-converter.ts).
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
 * Whether the author has taken the entity back (STIX 2.1, common property `revoked`).
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
 * Whether a rule of the platform concluded this (OpenCTI extension, `is_inferred`).
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
 * Until when an indicator holds, as ISO text that names its zone, undefined when it holds without an end (STIX 2.1,
 * indicator property `valid_until`). Every form of RFC 3339 is read; a time without zone is UTC.
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
 * Whether an indicator no longer holds at `atMs`: `valid_until` is the first moment at which it does not (STIX 2.1,
 * indicator property `valid_until`). What has no such date, or one that cannot be read, never expires.
 *
 * @param atMs milliseconds since 1970, as `Clock.now()` gives them.
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
