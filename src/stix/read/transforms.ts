import { type Entity } from '../types/entity.ts'
import { createdAtOf, updatedAtOf } from './entity-life.ts'
import { confidenceOf } from './entity-rating.ts'
import { descriptionOf, labelsOf } from './entity-text.ts'
import { fieldsOf, textOf } from '../types/json-value.ts'
import { tlpOf } from './markings.ts'
import { type Tlp } from './tlp.ts'

/** An entity as the generic transformation of the specification gives it. */
export interface GenericDocument {
  readonly id: string
  readonly type: string
  /** `''` when there is none. */
  readonly name: string
  /** `''` when there is none. */
  readonly description: string
  readonly created: string | null
  readonly modified: string | null
}

/** An indicator as the specification's transformation of indicators gives it. */
export interface IndicatorDocument {
  readonly id: string
  readonly name: string | null
  readonly pattern: string | null
  /** The language of the pattern. */
  readonly type: string | null
  readonly valid_from: string | null
  readonly valid_until: string | null
  readonly confidence: number | null
  readonly labels: readonly string[]
  readonly tlp: Tlp
}

/**
 * The generic transformation of the specification of stream connectors ("Data Transformation"), with its keys and
 * defaults, for what the live stream sends as well: `created` and `modified` are when the entity came into and last
 * changed at the platform.
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
 * The transformation of indicators of the specification of stream connectors ("Data Transformation"), with its keys
 * and defaults: what is absent is null, labels are plain text, TLP is `TLP:CLEAR` when nothing else is said.
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
