import { type Container } from './containers.ts'
import { type DomainObject } from './domain-objects.ts'
import { type DomainObjectBase } from './entity-base.ts'
import { type MetaObject } from './meta-objects.ts'
import { type ObservableObject } from './observable-objects.ts'
import { type RelationshipObject } from './relationships.ts'

/** Every object that this package knows by its type. */
export type KnownEntity = DomainObject | Container | RelationshipObject | ObservableObject | MetaObject

/** The STIX types that this package knows. */
export type EntityType = KnownEntity['type']

/**
 * The objects of one STIX type.
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
 * The type of an object that this package does not know. STIX names custom types `x-…`; a newer platform may send
 * others, which then stand here too: to the compiler they are `x-…` all the same. It cannot be plain `string`,
 * because then `entity.type === 'indicator'` would not rule this member out and `entity.pattern` would be unknown.
 * To ask for a type without `x-` that is not in {@link EntityType}, compare `octiTypeOf(entity)` or widen first:
 * `const type: string = entity.type`.
 */
export type UnknownType = `x-${string}`

/** An object of a type that this package does not know. It comes as it was sent, with every field. */
export interface UnknownEntity extends DomainObjectBase<UnknownType> {
  readonly [field: string]: unknown
}

/**
 * Any object that OpenCTI streams. Ask for its `type` to see its fields; fields that this package does not know are
 * still there (`fieldOf`).
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
 * The same object, seen as an entity, when it has an id and a type; undefined when it is anything else. Nothing is
 * copied or changed.
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
