import { isRelation } from '../knowledge/entity-types.ts'
import { openCtiExtension } from '../../stix/types/extensions.ts'
import { type KnowledgeBase, type StoredObject } from '../knowledge/knowledge-base.ts'
import { textsOf, type StixObject } from '../knowledge/stix-object.ts'
import { canRead, matchesCollection, type SimulatedCollection, type SimulatedUser } from './access.ts'
import { type StreamOrigin } from './stream-envelope.ts'

/** What one reader of a stream may see, and in which form. */
export class LiveView {
  readonly #knowledge: KnowledgeBase
  readonly #user: SimulatedUser | undefined
  readonly #collection: SimulatedCollection | undefined
  /** Whether object references of main events are limited to what the user may read (7.x-new). */
  readonly #redacts: boolean

  constructor(
    knowledge: KnowledgeBase,
    user: SimulatedUser | undefined,
    collection: SimulatedCollection | undefined,
    redacts: boolean,
  ) {
    this.#knowledge = knowledge
    this.#user = user
    this.#collection = collection
    this.#redacts = redacts
  }

  /** Whether the user may read the object, regardless of the stream. */
  canRead(stored: StoredObject): boolean {
    return canRead(this.#user, stored.object)
  }

  /** Whether this user sees the object in this stream. */
  isVisible(stored: StoredObject): boolean {
    return this.canRead(stored) && matchesCollection(this.#collection, stored.object)
  }

  /** Whether the stream includes writes of this origin. */
  isOriginWanted(origin: StreamOrigin): boolean {
    return this.#collection?.originFilter?.(origin) ?? true
  }

  /** Whether the user has all of these markings. */
  hasMarkings(ids: readonly string[]): boolean {
    const { markings } = this.#user ?? {}
    return markings === undefined || ids.every((id) => markings.has(id))
  }

  /** Whether the user may see which organizations an object is shared with. */
  get seesOrganizations(): boolean {
    const capabilities = this.#user?.capabilities
    if (capabilities === undefined) return true
    return capabilities.has('BYPASS') || capabilities.has('KNOWLEDGE_ORGANIZATION_RESTRICT')
  }

  /** Finds a readable object by id. */
  find(id: string): StoredObject | undefined {
    const stored = this.#knowledge.find(id)
    return stored !== undefined && this.canRead(stored) ? stored : undefined
  }

  /** Readable ends of a relation; undefined if one is missing or hidden. */
  endsOf({ object }: StoredObject): StoredObject[] | undefined {
    const ids =
      object.type === 'sighting'
        ? [object['sighting_of_ref'] as string, ...textsOf(object['where_sighted_refs'])]
        : [object['source_ref'] as string, object['target_ref'] as string]
    const ends = ids.map((id) => this.find(id))
    return ends.includes(undefined) ? undefined : (ends as StoredObject[])
  }

  /** Readable relations of an object whose ends are all readable. */
  relationsOf(stored: StoredObject, withInferences: boolean): StoredObject[] {
    return this.#knowledge
      .relationsOf(stored)
      .filter(
        (relation) =>
          this.canRead(relation) &&
          (withInferences || !relation.properties.is_inferred) &&
          this.endsOf(relation) !== undefined,
      )
  }

  /** Whether an object is in a container that is part of this stream. */
  isInVisibleContainer(stored: StoredObject): boolean {
    return this.#knowledge.containersOf(stored).some((container) => this.isVisible(container))
  }

  /** Whether one end of a relation is part of this stream. */
  hasVisibleEnd(stored: StoredObject): boolean {
    return isRelation(stored.object) && (this.endsOf(stored)?.some((end) => this.isVisible(end)) ?? false)
  }

  /**
   * The object as this user gets it: without the organizations it is shared with, unless they may see those.
   *
   * @returns the object itself if nothing was removed.
   */
  stripped(object: StixObject): StixObject {
    if (this.seesOrganizations || object.extensions?.[openCtiExtension]?.['granted_refs'] === undefined)
      return object
    const { granted_refs: _granted, ...properties } = object.extensions[openCtiExtension]
    return { ...object, extensions: { ...object.extensions, [openCtiExtension]: properties } }
  }

  /** Like {@link stripped}; the newest platforms also limit `object_refs` to what the user may read. */
  redacted(object: StixObject): StixObject {
    const stripped = this.stripped(object)
    if (!this.#redacts || !Array.isArray(stripped['object_refs'])) return stripped
    const references = textsOf(stripped['object_refs'])
    const readable = references.filter((id) => this.find(id) !== undefined)
    return readable.length === references.length ? stripped : { ...stripped, object_refs: readable }
  }
}
