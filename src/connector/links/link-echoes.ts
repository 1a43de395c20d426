import { type EntityLink } from '../../opencti/platform-knowledge.ts'
import { type StreamEvent } from '../../opencti/stream-event.ts'
import { type ExternalReference } from '../../stix/entity-base.ts'
import { externalReferencesOf } from '../../stix/entity-text.ts'
import { previousOf } from '../../stix/patches.ts'

/** What else changes with every write: dates, and ids of what is referred to (OpenCTI platform, database/stix-2-1-converter.ts). */
const accompanying =
  /^\/(?:extensions\/[^/]+\/)?(?:modified|updated_at|modified_at|external_references)(?:\/|_|$)/

/** How many echoes are waited for. One that comes later is delivered as any other update, which does no harm. */
const maxExpected = 10_000

/** Recognises the events that come back from links that were written, and nothing else that the same user did. */
export class LinkEchoes {
  /** By the entity's id. */
  readonly #expected = new Map<string, EntityLink>()

  /** A link is about to be written. */
  expect(entityId: string, reference: EntityLink): void {
    this.#expected.delete(entityId)
    this.#expected.set(entityId, reference)
    if (this.#expected.size <= maxExpected) return
    const [oldest] = this.#expected.keys()
    this.#expected.delete(oldest!)
  }

  /** Whether an event tells such a link and nothing more: the reference at its entity, or the reference as an object. */
  matches(event: StreamEvent): boolean {
    if (event.entity.type === 'external-reference') {
      if (event.name !== 'create') return false
      const created = event.entity as unknown as ExternalReference
      return [...this.#expected.values()].some((each) => sameReference(each, created))
    }
    const reference = this.#expected.get(event.key)
    if (reference === undefined || event.name !== 'update' || !addsOnly(event, reference)) return false
    this.#expected.delete(event.key)
    return true
  }
}

/** Whether an update added this reference to its entity, and did nothing else. */
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

/** Whether two references lead to the same place. */
export function sameReference(one: ExternalReference, other: ExternalReference): boolean {
  return (
    (one.source_name ?? '') === (other.source_name ?? '') &&
    (one.url ?? '') === (other.url ?? '') &&
    (one.external_id ?? '') === (other.external_id ?? '')
  )
}
