import { z } from 'zod'
import { type StateStore } from '../../store/state-store.ts'

const pendingLink = z.object({
  /** Internal or STIX id of the entity. */
  id: z.string(),
  /** Its STIX type. */
  type: z.string(),
  /** How often the platform has answered with an error. */
  attempts: z.number(),
  reference: z.object({
    source_name: z.string(),
    url: z.string().optional(),
    external_id: z.string().optional(),
  }),
})

/** A link that is not yet at the platform. */
export type PendingLink = z.infer<typeof pendingLink>

const shard = z.array(z.unknown())
const shardEntry = z.tuple([z.string(), pendingLink])

/** Each is a value of the state, so that a change rewrites a small part of what waits. */
const shardCount = 64

/** More than this would make the state large; an entity that is left out has its link when it is next created. */
const maxPending = 10_000

/** Links that are not yet at the platform, in order, and how they are kept with the state. */
export class PendingLinks {
  readonly #links = new Map<string, PendingLink>()
  readonly #changed = new Set<number>()

  get size(): number {
    return this.#links.size
  }

  /** @returns how many cannot be read: a link is no reason not to start. */
  async open(store: StateStore): Promise<number> {
    let unreadable = 0
    for (let index = 0; index < shardCount; index++) {
      const text = await store.value(nameOf(index))
      if (text === undefined) continue
      for (const entry of entriesOf(text)) {
        const { success, data } = shardEntry.safeParse(entry)
        if (success) this.#links.set(...data)
        else {
          unreadable++
          this.#changed.add(index)
        }
      }
    }
    return unreadable
  }

  /** @returns false when there are too many. */
  add(key: string, link: PendingLink): boolean {
    if (this.#links.size >= maxPending && !this.#links.has(key)) return false
    this.#links.set(key, link)
    this.#changed.add(shardOf(key))
    return true
  }

  first(): [string, PendingLink] | undefined {
    return this.#links.entries().next().value
  }

  /** Whether this one has still to be written: another may have taken its place, or none be needed any more. */
  has(key: string, link: PendingLink): boolean {
    return this.#links.get(key) === link
  }

  /**
   * @param link only this one, not one that has taken its place.
   * @returns whether there was one.
   */
  remove(key: string, link = this.#links.get(key)): boolean {
    if (link === undefined || !this.has(key, link)) return false
    this.#links.delete(key)
    this.#changed.add(shardOf(key))
    return true
  }

  /** One more failure of this one: the others come first. */
  postpone(key: string, link: PendingLink): void {
    if (!this.has(key, link)) return
    this.#links.delete(key)
    this.add(key, { ...link, attempts: link.attempts + 1 })
  }

  /** The values that have changed since the last call; all of them when that one may not have been written. */
  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (isUnsure) for (let index = 0; index < shardCount; index++) this.#changed.add(index)
    if (this.#changed.size === 0) return nothing
    const shards = new Map<number, [string, PendingLink][]>([...this.#changed].map((index) => [index, []]))
    for (const entry of this.#links) shards.get(shardOf(entry[0]))?.push(entry)
    this.#changed.clear()
    return new Map(
      [...shards].map(([index, links]) => [
        nameOf(index),
        links.length === 0 ? undefined : JSON.stringify(links),
      ]),
    )
  }
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()

/** What cannot be read at all counts as one. */
function entriesOf(text: string): readonly unknown[] {
  try {
    return shard.parse(JSON.parse(text))
  } catch {
    return [undefined]
  }
}

function nameOf(index: number): string {
  return `links-${index}`
}

function shardOf(key: string): number {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  return (hash >>> 0) % shardCount
}
