import { storedValues } from '../checkpoint/stored-values.ts'
import { z } from 'zod'
import { type MaybePromise, type StateStore } from '../store/state-store.ts'
import { isThenable } from '../util/is-thenable.ts'
import { parsedJson } from '../util/json-text.ts'

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

const { linkPrefix: prefix } = storedValues

/** How many are in memory to be written next; the others are in the state alone. */
const pageSize = 500

/**
 * Links that are not yet at the platform, however many: each is a value of the state, and a page of them is in memory. None is
 * handed out twice at a time.
 */
export class PendingLinks {
  readonly #onUnreadable: (count: number) => void
  #store: StateStore | undefined
  #size = 0
  /** To be written next. */
  readonly #ready = new Map<string, PendingLink>()
  /** Handed out. */
  readonly #taken = new Map<string, PendingLink>()
  /** Not in the state yet, and about to be: undefined for what is to be removed from it. */
  #changed = new Map<string, PendingLink | undefined>()
  #committing = new Map<string, PendingLink | undefined>()
  /** The value that was read last; undefined to begin from the first. */
  #readUpTo: string | undefined

  /** @param onUnreadable told how many cannot be read: they are left out. */
  constructor(onUnreadable: (count: number) => void) {
    this.#onUnreadable = onUnreadable
  }

  get size(): number {
    return this.#size
  }

  async open(store: StateStore): Promise<void> {
    this.#store = store
    this.#size = await store.countValues(prefix)
  }

  /** A link has to be written; it takes the place of another one of its entity. */
  async add(key: string, link: PendingLink): Promise<void> {
    // What is in the state alone came before it.
    const isNext = this.#size <= this.#ready.size + this.#taken.size && this.#ready.size < pageSize
    const isKnown = this.#has(key)
    this.#taken.delete(key)
    this.#changed.set(key, link)
    if (isNext || this.#ready.has(key)) this.#ready.set(key, link)
    if (!(isThenable(isKnown) ? await isKnown : isKnown)) this.#size++
  }

  /** One to be written, with its key; undefined when all are written or handed out. Give it back in one of the ways below. */
  async take(): Promise<[string, PendingLink] | undefined> {
    // Twice: the first may come to the end, and others stand at the beginning.
    for (let reads = 0; reads < 2 && this.#ready.size === 0 && this.#size > this.#taken.size; reads++)
      await this.#read()
    const next: [string, PendingLink] | undefined = this.#ready.entries().next().value
    if (next === undefined) return undefined
    this.#ready.delete(next[0])
    this.#taken.set(...next)
    return next
  }

  /** It is done with. @returns false when another has taken its place, or none is needed any more. */
  done(key: string, link: PendingLink): boolean {
    if (this.#taken.get(key) !== link) return false
    this.#taken.delete(key)
    this.#changed.set(key, undefined)
    this.#size--
    return true
  }

  /** It has still to be written. @param attempts failures of its own, from now on. */
  giveBack(key: string, link: PendingLink, attempts = link.attempts): void {
    if (this.#taken.get(key) !== link) return
    this.#taken.delete(key)
    const again = attempts === link.attempts ? link : { ...link, attempts }
    if (again !== link) this.#changed.set(key, again)
    this.#ready.set(key, again)
  }

  /** None is needed for this entity. @returns whether that has to be written. */
  remove(key: string): boolean {
    if (this.#size === 0) return false
    const isKnown = this.#has(key)
    if (isKnown === false) return false
    this.#ready.delete(key)
    this.#taken.delete(key)
    this.#changed.set(key, undefined)
    if (isKnown === true) this.#size--
    else void this.#countRemoved(isKnown)
    return true
  }

  /** The values that have changed since the last call; those of that call too when it may not have been written. */
  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (isUnsure)
      for (const [key, link] of this.#committing) if (!this.#changed.has(key)) this.#changed.set(key, link)
    this.#committing = this.#changed
    this.#changed = new Map()
    const values = new Map<string, string | undefined>()
    for (const [key, link] of this.#committing)
      values.set(`${prefix}${key}`, link === undefined ? undefined : JSON.stringify(link))
    return values
  }

  /** Whether one waits for this entity. */
  #has(key: string): MaybePromise<boolean> {
    for (const changes of [this.#changed, this.#committing])
      if (changes.has(key)) return changes.get(key) !== undefined
    const value = this.#store?.value(`${prefix}${key}`)
    return isThenable(value) ? value.then((text) => text !== undefined) : value !== undefined
  }

  async #countRemoved(isKnown: Promise<boolean>): Promise<void> {
    if (await isKnown.catch(() => false)) this.#size--
  }

  /** Fills what is ready from the state, and from what is on its way there. */
  async #read(): Promise<void> {
    const page = await this.#store!.values({ prefix, afterName: this.#readUpTo, limit: pageSize })
    const names = [...page.keys()]
    this.#readUpTo = names.length < pageSize ? undefined : names.at(-1)
    const found = new Map<string, PendingLink | undefined>()
    for (const [name, text] of page) found.set(name.slice(prefix.length), linkOf(parsedJson(text)))
    for (const [key, link] of [...this.#committing, ...this.#changed]) {
      // What was removed must not come back.
      if (link === undefined) found.delete(key)
      else found.set(key, link)
    }
    let unreadable = 0
    for (const [key, link] of found) {
      if (this.#taken.has(key)) continue
      if (link !== undefined) this.#ready.set(key, link)
      else {
        this.#changed.set(key, undefined)
        this.#size--
        unreadable++
      }
    }
    if (unreadable > 0) this.#onUnreadable(unreadable)
  }
}

function linkOf(value: unknown): PendingLink | undefined {
  return pendingLink.safeParse(value).data
}
