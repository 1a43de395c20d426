import { type EntityLink } from '../lookups/platform-knowledge.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type ExternalReference } from '../stix/types/entity-base.ts'
import { externalReferencesOf } from '../stix/read/entity-text.ts'
import { previousOf } from '../stix/read/patches.ts'

/**
 * Other fields every write changes: dates, and ids of references (OpenCTI platform,
 * database/stix-2-1-converter.ts).
 */
const accompanying =
  /^\/(?:extensions\/[^/]+\/)?(?:modified|updated_at|modified_at|external_references)(?:\/|_|$)/

/** Maximum number of expected echoes. Later ones are delivered like any other update, which does no harm. */
const maxExpected = 10_000

/** Recognizes the events caused by our own links, but nothing else by the same user. */
export class LinkEchoes {
  /** By entity id. */
  readonly #expected = new Map<string, EntityLink>()
  /** Number of expected links per place. */
  readonly #places = new Map<string, number>()

  /** A link is about to be written. */
  expect(entityId: string, reference: EntityLink): void {
    this.#forget(entityId)
    this.#expected.set(entityId, reference)
    const place = placeOf(reference)
    this.#places.set(place, (this.#places.get(place) ?? 0) + 1)
    if (this.#expected.size <= maxExpected) return
    const [oldest] = this.#expected.keys()
    this.#forget(oldest!)
  }

  /**
   * Whether an event reports such a link and nothing else: the reference on its entity, or the reference
   * object.
   */
  matches(event: StreamEvent): boolean {
    if (event.entity.type === 'external-reference') {
      if (event.name !== 'create') return false
      return this.#places.has(placeOf(event.entity as unknown as ExternalReference))
    }
    const reference = this.#expected.get(event.key)
    if (reference === undefined || event.name !== 'update' || !addsOnly(event, reference)) return false
    this.#forget(event.key)
    return true
  }

  #forget(entityId: string): void {
    const reference = this.#expected.get(entityId)
    if (reference === undefined) return
    this.#expected.delete(entityId)
    const place = placeOf(reference)
    const left = this.#places.get(place)! - 1
    if (left > 0) this.#places.set(place, left)
    else this.#places.delete(place)
  }
}

/** Whether an update only added this reference to its entity. */
function addsOnly(event: StreamEvent, reference: EntityLink): boolean {
  const { patch, reverse_patch } = event.envelope.context ?? {}
  if (!Array.isArray(patch) || !Array.isArray(reverse_patch)) return false
  const isAlone = [...patch, ...reverse_patch].every(({ path }) => accompanying.test(String(path)))
  if (!isAlone) return false
  const before = previousOf(event.entity, reverse_patch)
  if (before === undefined) return false
  const earlier = externalReferencesOf(before)
  const now = externalReferencesOf(event.entity)
  const added = now.filter((each) => !earlier.some((other) => sameReference(each, other)))
  return now.length === earlier.length + 1 && added.length === 1 && sameReference(added[0]!, reference)
}

/** Whether two references point to the same place. */
export function sameReference(one: ExternalReference, other: ExternalReference): boolean {
  return placeOf(one) === placeOf(other)
}

function placeOf({ source_name, url, external_id }: ExternalReference): string {
  return JSON.stringify([source_name ?? '', url ?? '', external_id ?? ''])
}
