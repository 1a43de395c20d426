import { mitreExtension, observableExtension } from '../../stix/types/extensions.ts'
import { familyOf, isContainer, isObservable, representativeOf } from '../knowledge/entity-types.ts'
import { toStored, type KnowledgeBase, type StoredObject } from '../knowledge/knowledge-base.ts'
import { toPlatformShape } from '../knowledge/platform-shape.ts'
import { standardIdOf } from '../knowledge/standard-id.ts'
import { textsOf, type StixObject } from '../knowledge/stix-object.ts'
import { canRead, type SimulatedUser } from '../live/access.ts'
import { knowledgeTypes } from './knowledge-definitions.ts'
import { pageOf, type PageArguments } from './page-of.ts'

/** An object in GraphQL. Parts that need other objects are functions. */
export type ObjectDescription = Readonly<Record<string, unknown>>

/** Converts stored objects to GraphQL, limited to what a user may read. */
export class ObjectDescriptions {
  readonly #knowledge: KnowledgeBase
  readonly #user: SimulatedUser

  constructor(knowledge: KnowledgeBase, user: SimulatedUser) {
    this.#knowledge = knowledge
    this.#user = user
  }

  /** Finds an object the user may read. */
  find(id: unknown): StoredObject | undefined {
    const stored = typeof id === 'string' ? this.#knowledge.find(id) : undefined
    return stored !== undefined && canRead(this.#user, stored.object) ? stored : undefined
  }

  describe(stored: StoredObject): ObjectDescription {
    const { object, properties } = stored
    const {
      id: _id,
      type: _type,
      extensions = {},
      labels,
      external_references,
      kill_chain_phases,
      ...own
    } = object
    const observable = extensions[observableExtension] ?? {}
    const listed = (items: unknown) => (Array.isArray(items) ? (items as Record<string, unknown>[]) : [])
    const inline = (type: string, items: Record<string, unknown>[]) =>
      items.map((item) => this.#inline(type, item, stored))
    return {
      ...own,
      ...prefixed('x_opencti_', properties),
      ...prefixed('x_opencti_', observable),
      ...prefixed('x_mitre_', extensions[mitreExtension] ?? {}),
      ...ofMarkings(object, properties),
      __typename: typeNameOf(object, properties.type),
      id: properties.id,
      standard_id: object.id,
      entity_type: properties.type,
      parent_types: familyOf(object),
      representative: { main: representativeOf(object), secondary: '' },
      x_opencti_stix_ids: textsOf(properties['stix_ids']),
      is_inferred: properties.is_inferred,
      spec_version: '2.1',
      created_at: properties.created_at,
      updated_at: properties.updated_at,
      revoked: object['revoked'] ?? false,
      hashes: hashesOf(object['hashes']),
      extensions: null,
      observable_value: representativeOf(object),
      ...(isObservable(object.type) && {
        x_opencti_description: object['description'] ?? observable['description'],
      }),
      x_opencti_score: properties['score'] ?? observable['score'] ?? object['score'],
      attribute_abstract: object['abstract'],
      attribute_count: object['count'],
      attribute_date: object['date'],
      attribute_key: object['key'],
      x_opencti_observable_values: listed(properties['observable_values']).map(({ type, value, hashes }) => ({
        type,
        value,
        hashes: hashesOf(hashes),
      })),
      creators: textsOf(properties['creator_ids']).map((id) => ({ id, name: id })),
      toStix: () => stored.json(),
      createdBy: () => this.#describeAll([object['created_by_ref'] ?? observable['created_by_ref']])[0],
      objectMarking: () => this.#describeAll(textsOf(object['object_marking_refs'])),
      objectOrganization: () => this.#describeAll(textsOf(properties['granted_refs'])),
      objectLabel: () =>
        inline(
          'label',
          textsOf(labels ?? observable['labels']).map((value) => ({ value })),
        ),
      externalReferences: (page: PageArguments) =>
        pageOf(
          inline('external-reference', listed(external_references ?? observable['external_references'])),
          page,
          (each) => each,
        ),
      killChainPhases: () => inline('kill-chain-phase', listed(kill_chain_phases)),
      importFiles: (page: PageArguments) => pageOf(listed(properties['files']), page, describeFile),
      objects: (page: PageArguments & { readonly all?: unknown }) => {
        const held = textsOf(object['object_refs'])
        return this.page(this.findAll(held), page.all === true ? { first: held.length } : page)
      },
      indicators: (page: PageArguments) => this.page(this.#basedOn(stored, 'source_ref'), page),
      observables: (page: PageArguments) => this.page(this.#basedOn(stored, 'target_ref'), page),
    }
  }

  /** A page of objects. */
  page(stored: readonly StoredObject[], page: PageArguments): ObjectDescription {
    return pageOf(stored, page, (each) => this.describe(each))
  }

  /** The objects the user may read, without duplicates, in the order of the ids. */
  findAll(ids: readonly unknown[]): StoredObject[] {
    return [...new Set(ids.map((id) => this.find(id)))].filter((stored) => stored !== undefined)
  }

  #describeAll(ids: readonly unknown[]): ObjectDescription[] {
    return this.findAll(ids).map((stored) => this.describe(stored))
  }

  /** Something that is inline in STIX but an object on the platform. */
  #inline(type: string, content: Record<string, unknown>, holder: StoredObject): ObjectDescription {
    const input = { ...content, type }
    const id = standardIdOf({ ...input, id: '' })
    const known = id === undefined ? undefined : this.#knowledge.find(id)
    const { creator_ids: creators } = holder.properties
    return this.describe(
      known ??
        toStored(
          toPlatformShape(input, {
            nowMs: holder.updatedMs,
            creatorId: textsOf(creators)[0] ?? '',
            find: () => undefined,
          }),
        ),
    )
  }

  /** Other ends of the relationships between indicators and the observables they were created from. */
  #basedOn(stored: StoredObject, end: 'source_ref' | 'target_ref'): StoredObject[] {
    const relations = this.#knowledge
      .relationsOf(stored)
      .filter(({ object }) => object['relationship_type'] === 'based-on' && object[end] !== stored.object.id)
    return this.findAll(relations.map(({ object }) => object[end]))
  }
}

/** Type name of an object in the schema (OpenCTI platform, resolvers/stixCoreObject.js). */
function typeNameOf(object: StixObject, type: string): string {
  if (object.type === 'relationship') return 'StixCoreRelationship'
  if (object.type === 'sighting') return 'StixSightingRelationship'
  const name = type.replaceAll(/(?:^|-|_)(\w)/g, (_match, letter: string) => letter.toUpperCase())
  return knowledgeTypes.has(name) ? name : isContainer(object.type) ? 'Grouping' : 'Unknown'
}

function prefixed(prefix: string, properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [`${prefix}${name}`, value]))
}

function ofMarkings(
  object: StixObject,
  properties: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (object.type !== 'marking-definition') return {}
  return { definition: object['name'], x_opencti_order: properties['order'] ?? 0 }
}

function hashesOf(hashes: unknown): { algorithm: string; hash: string }[] | undefined {
  if (typeof hashes !== 'object' || hashes === null) return undefined
  return Object.entries(hashes).map(([algorithm, hash]) => ({ algorithm, hash: String(hash) }))
}

function describeFile({
  name,
  uri,
  version,
  mime_type: mimetype,
}: Record<string, unknown>): ObjectDescription {
  return { id: String(uri).replace('/storage/get/', ''), name, metaData: { mimetype, version } }
}
