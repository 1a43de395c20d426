import { type Container } from './containers.ts'
import { type DomainObject } from './domain-objects.ts'
import { type DomainObjectBase } from './entity-base.ts'
import { type MetaObject } from './meta-objects.ts'
import { type ObservableObject } from './observable-objects.ts'
import { type RelationshipObject } from './relationships.ts'

/** Any object of a type this package knows. */
export type KnownEntity = DomainObject | Container | RelationshipObject | ObservableObject | MetaObject

/** STIX types this package knows. */
export type EntityType = KnownEntity['type']

/**
 * Objects of one STIX type.
 *
 * @example
 * ```ts
 * import { type EntityOf } from 'opencti-stream-connector'
 *
 * const ruleOf = (indicator: EntityOf<'indicator'>) => indicator.pattern
 * ```
 */
export type EntityOf<Type extends EntityType> = Extract<KnownEntity, { readonly type: Type }>

/**
 * Type of an unknown object. STIX names custom types `x-…`. A newer platform may send other unknown types; to
 * the compiler they are `x-…` as well. It cannot be plain `string`, because then `entity.type ===
 * 'indicator'` would not narrow to an indicator. To check for a type that is neither `x-…` nor in
 * {@link EntityType}, compare `octiTypeOf(entity)` or widen first: `const type: string = entity.type`.
 */
export type UnknownType = `x-${string}`

/** An object of an unknown type, as sent, with all its fields. */
export interface UnknownEntity extends DomainObjectBase<UnknownType> {
  readonly [field: string]: unknown
}

/**
 * Any object OpenCTI streams. Check `type` to access its fields. Fields this package does not know are still
 * there (`fieldOf`).
 *
 * @example
 * ```ts
 * import { type Entity } from 'opencti-stream-connector'
 *
 * function describe(entity: Entity): string {
 *   switch (entity.type) {
 *     case 'indicator':
 *       return `${entity.pattern_type}: ${entity.pattern}`
 *     case 'ipv4-addr':
 *       return entity.value
 *     default:
 *       return entity.type
 *   }
 * }
 * ```
 */
export type Entity = KnownEntity | UnknownEntity

/**
 * Returns the object as an entity if it has an id and a type, otherwise undefined. Does not copy.
 *
 * @example
 * ```ts
 * import { asEntity } from 'opencti-stream-connector'
 *
 * const entity = asEntity(JSON.parse('{"id":"mutex--1","type":"mutex","name":"abc"}'))
 * if (entity?.type === 'mutex') console.log(entity.name)
 * ```
 */
export function asEntity(document: unknown): Entity | undefined {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return undefined
  const { id, type } = document as { readonly id?: unknown; readonly type?: unknown }
  return typeof id === 'string' && id !== '' && typeof type === 'string' && type !== ''
    ? (document as Entity)
    : undefined
}
