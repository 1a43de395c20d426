import { isRelation } from './entity-types.ts'
import { referencesOf, replaceReference } from './references.ts'
import { UpdateIndex } from './update-index.ts'
import {
  deepFreeze,
  openCtiPropertiesOf,
  textsOf,
  type OpenCtiProperties,
  type StixObject,
} from './stix-object.ts'

/** A stored object with the facts the stream needs repeatedly. */
export interface StoredObject {
  readonly object: StixObject
  readonly properties: OpenCtiProperties
  readonly references: readonly string[]
  readonly updatedMs: number
  /** The object as JSON, serialized once. */
  readonly json: () => string
}

/** Creates the stored form of an object and freezes it. */
export function toStored(object: StixObject): StoredObject {
  const properties = openCtiPropertiesOf(deepFreeze(object))
  let json: string | undefined
  return {
    object,
    properties,
    references: referencesOf(object),
    updatedMs: Date.parse(properties.updated_at),
    json: () => (json ??= JSON.stringify(object)),
  }
}

/** The platform's database: the current state of every object, by any of its ids, and its referrers. */
export class KnowledgeBase {
  /** By OpenCTI id, the only id that never changes. */
  readonly #objects = new Map<string, StoredObject>()
  /** Maps standard, former, and foreign ids to OpenCTI ids. */
  readonly #internalIds = new Map<string, string>()
  /** Maps standard ids to the OpenCTI ids of relations that touch the object … */
  readonly #relations = new Map<string, Set<string>>()
  /** … containers that include it … */
  readonly #containers = new Map<string, Set<string>>()
  /** … and everything else that references it. */
  readonly #others = new Map<string, Set<string>>()
  readonly #updates = new UpdateIndex()

  /** All stored objects, oldest first. */
  values(): IterableIterator<StoredObject> {
    return this.#objects.values()
  }

  /** Finds an object by standard, former, foreign, or OpenCTI id. */
  find(id: string): StoredObject | undefined {
    return this.#objects.get(this.#internalIds.get(id) ?? id)
  }

  /** Objects updated between `fromMs` and `toMs`, inclusive, ordered by `updated_at` and OpenCTI id. */
  updatedBetween(fromMs: number, toMs: number): Generator<StoredObject> {
    return this.#updates.between(fromMs, toMs)
  }

  /** Stores an object; replaces one with the same OpenCTI id. */
  put(stored: StoredObject): void {
    const { id } = stored.properties
    const before = this.#objects.get(id)
    if (before !== undefined) this.#unlink(before)
    this.#objects.set(id, stored)
    this.#updates.add(stored)
    for (const alias of textsOf(stored.properties['stix_ids'])) this.#internalIds.set(alias, id)
    this.#internalIds.set(stored.object.id, id)
    for (const [index, reference] of this.#linksOf(stored)) {
      let holders = index.get(reference)
      if (holders === undefined) index.set(reference, (holders = new Set()))
      holders.add(id)
    }
  }

  /**
   * Removes an object, its relations, and all references to it. As on the platform, only the object itself
   * causes an event.
   */
  remove(stored: StoredObject): void {
    for (const relation of this.relationsOf(stored)) this.remove(relation)
    this.#forget(stored)
    this.redirect(stored.object.id, undefined)
  }

  /** Redirects all references from the standard id `from` to `to`, or removes them. */
  redirect(from: string, to: string | undefined): void {
    for (const index of [this.#relations, this.#containers, this.#others]) {
      for (const holder of index.get(from) ?? []) {
        const stored = this.#objects.get(holder)
        if (stored === undefined) continue
        const copy = structuredClone(stored.object)
        replaceReference(copy, from, to)
        this.put(toStored(copy))
      }
    }
  }

  /** Removes `source`; its references and ids then point to `target`. */
  absorb(source: StoredObject, target: StoredObject): void {
    this.#forget(source)
    this.redirect(source.object.id, target.object.id)
    this.#internalIds.set(source.object.id, target.properties.id)
    this.#internalIds.set(source.properties.id, target.properties.id)
  }

  /** Relationships and sightings that touch an object. */
  relationsOf(stored: StoredObject): StoredObject[] {
    return this.#holders(this.#relations, stored)
  }

  /** Reports, groupings, and cases that include an object. */
  containersOf(stored: StoredObject): StoredObject[] {
    return this.#holders(this.#containers, stored)
  }

  #holders(index: ReadonlyMap<string, Set<string>>, stored: StoredObject): StoredObject[] {
    const holders: StoredObject[] = []
    for (const id of index.get(stored.object.id) ?? []) {
      const holder = this.#objects.get(id)
      if (holder !== undefined) holders.push(holder)
    }
    return holders
  }

  #forget(stored: StoredObject): void {
    this.#unlink(stored)
    this.#objects.delete(stored.properties.id)
    this.#internalIds.delete(stored.object.id)
    for (const alias of textsOf(stored.properties['stix_ids'])) this.#internalIds.delete(alias)
  }

  #unlink(stored: StoredObject): void {
    this.#updates.remove(stored)
    for (const [index, reference] of this.#linksOf(stored)) {
      const holders = index.get(reference)
      holders?.delete(stored.properties.id)
      if (holders?.size === 0) index.delete(reference)
    }
  }

  *#linksOf(stored: StoredObject): Generator<[Map<string, Set<string>>, string]> {
    const { object, references } = stored
    if (isRelation(object)) {
      const shared = new Set(
        ['created_by_ref', 'object_marking_refs'].flatMap((name) => [object[name]].flat()),
      )
      for (const reference of references)
        yield [shared.has(reference) ? this.#others : this.#relations, reference]
      return
    }
    const held = new Set(textsOf(object['object_refs']))
    for (const reference of references)
      yield [held.has(reference) ? this.#containers : this.#others, reference]
  }
}
