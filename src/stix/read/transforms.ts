import { type Entity } from '../types/entity.ts'
import { createdAtOf, updatedAtOf } from './entity-life.ts'
import { confidenceOf } from './entity-rating.ts'
import { descriptionOf, labelsOf } from './entity-text.ts'
import { fieldsOf, textOf } from '../types/json-value.ts'
import { tlpOf } from './markings.ts'
import { type Tlp } from './tlp.ts'

/** Output of the specification's generic transformation. */
export interface GenericDocument {
  readonly id: string
  readonly type: string
  /** `''` if there is none. */
  readonly name: string
  /** `''` if there is none. */
  readonly description: string
  readonly created: string | null
  readonly modified: string | null
}

/** Output of the specification's indicator transformation. */
export interface IndicatorDocument {
  readonly id: string
  readonly name: string | null
  readonly pattern: string | null
  /** Language of the pattern. */
  readonly type: string | null
  readonly valid_from: string | null
  readonly valid_until: string | null
  readonly confidence: number | null
  readonly labels: readonly string[]
  readonly tlp: Tlp
}

/**
 * The generic transformation of the stream connector specification ("Data Transformation"), with its keys and
 * defaults. Also works for live stream entities: `created` and `modified` are when the platform created and
 * last updated the entity.
 *
 * @example
 * ```ts
 * import { toGeneric, type Entity } from 'opencti-stream-connector'
 *
 * const body = (entity: Entity) => JSON.stringify(toGeneric(entity))
 * ```
 */
export function toGeneric(entity: Entity): GenericDocument {
  const fields = fieldsOf(entity)
  return {
    id: textOf(fields['id']) ?? '',
    type: textOf(fields['type']) ?? '',
    name: textOf(fields['name']) ?? '',
    description: descriptionOf(entity) ?? '',
    created: createdAtOf(entity) ?? null,
    modified: updatedAtOf(entity) ?? null,
  }
}

/**
 * The indicator transformation of the stream connector specification ("Data Transformation"), with its keys
 * and defaults: missing values are null, labels are plain text, and TLP defaults to `TLP:CLEAR`.
 *
 * @example
 * ```ts
 * import { toIndicator, type Entity } from 'opencti-stream-connector'
 *
 * const body = (entity: Entity) => (entity.type === 'indicator' ? toIndicator(entity) : undefined)
 * ```
 */
export function toIndicator(entity: Entity): IndicatorDocument {
  const fields = fieldsOf(entity)
  const text = (name: string) => textOf(fields[name]) ?? null
  return {
    id: textOf(fields['id']) ?? '',
    name: text('name'),
    pattern: text('pattern'),
    type: text('pattern_type'),
    valid_from: text('valid_from'),
    valid_until: text('valid_until'),
    confidence: confidenceOf(entity) ?? null,
    labels: labelsOf(entity),
    tlp: tlpOf(entity),
  }
}
