import {
  type Entity,
  type EntityOf,
  type EntityType,
  type UnknownEntity,
  type UnknownType,
} from '../../../src/stix/types/entity.ts'
import { openCtiExtension } from '../../../src/stix/types/extensions.ts'

/** Fails to compile unless both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

function same<A, B>(_: Same<A, B>): void {}

export function narrowsByType(entity: Entity): void {
  if (entity.type === 'indicator') {
    same<typeof entity.pattern, string>(true)
    same<typeof entity.valid_until, string | undefined>(true)
    const extension = entity.extensions?.[openCtiExtension]
    same<NonNullable<typeof extension>['score'], number | undefined>(true)
    same<NonNullable<typeof extension>['detection'], boolean | undefined>(true)
  }
  if (entity.type === 'relationship') same<typeof entity.source_ref, string>(true)
  if (entity.type === 'report') same<typeof entity.object_refs, readonly string[] | undefined>(true)
  if (entity.type === 'ipv4-addr' || entity.type === 'hostname') same<typeof entity.value, string>(true)

  switch (entity.type) {
    case 'vulnerability':
      same<typeof entity.type, 'vulnerability'>(true)
      break
    case 'marking-definition':
      same<typeof entity.definition_type, string | undefined>(true)
      break
    default:
      same<typeof entity.id, string>(true)
  }
}

export function leavesUnknownTypesReadable(entity: Entity): string {
  same<Extract<Entity, { type: UnknownType }>, UnknownEntity>(true)
  // A type that this package does not know is no error to read, and is a string like any other.
  const type: string = entity.type
  if (entity.type === 'x-mitre-matrix') same<typeof entity, UnknownEntity>(true)
  return type
}

export function readsFieldsOfUnknownEntities(entity: UnknownEntity): unknown {
  same<(typeof entity)['x_anything'], unknown>(true)
  return entity['x_anything']
}

export function refusesMistakes(entity: Entity): void {
  if (entity.type !== 'indicator') return
  // @ts-expect-error a field with a typing error must not compile
  void entity.patern
  // @ts-expect-error an entity is never changed in place
  entity.pattern = ''
}

export const custom: Entity = { id: 'x-thing--1', type: 'x-thing', anything: { at: 'all' } }

export const indicator: Entity = {
  id: 'indicator--1',
  type: 'indicator',
  pattern: "[url:value = 'http://a.example']",
  pattern_type: 'stix',
  labels: ['a', { value: 'b' }],
  objectMarking: [{ definition_type: 'TLP', definition: 'TLP:RED' }],
  created_at: '2026-01-14T10:00:00.000Z',
}

/** The types of which there is not exactly one member: none may be left. */
type Ambiguous = { [Type in EntityType]: EntityOf<Type>['type'] extends Type ? never : Type }[EntityType]
same<Ambiguous, never>(true)
same<EntityOf<'url'>['value'], string>(true)
