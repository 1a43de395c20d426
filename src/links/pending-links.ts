import { storedValues } from '../checkpoint/stored-values.ts'
import { z } from 'zod'
import { type MaybePromise, type StateStore } from '../store/state-store.ts'
import { isThenable } from '../util/is-thenable.ts'
import { parsedJson } from '../util/json-text.ts'

const pendingLink = z.object({
  /** OpenCTI or STIX id of the entity. */
  id: z.string(),
  /** STIX type of the entity. */
  type: z.string(),
  /** Number of error answers from the platform. */
  attempts: z.number(),
  reference: z.object({
    source_name: z.string(),
    url: z.string().optional(),
    external_id: z.string().optional(),
  }),
})

/** A link that is not on the platform yet. */
export type PendingLink = z.infer<typeof pendingLink>

const { linkPrefix: prefix } = storedValues

/** Number of links in memory to write next; the others are only in the state. */
const pageSize = 500

/**
 * Links that are not on the platform yet. Any number of them: each is a value in the state, and one page is
 * in memory. Never hands out the same link twice at a time.
 */
export class PendingLinks {
  readonly #onUnreadable: (count: number) => void
  #store: StateStore | undefined
  #size = 0
  /** To be written next. */
  readonly #ready = new Map<string, PendingLink>()
  /** Handed out. */
  readonly #taken = new Map<string, PendingLink>()
  /** Not in the state yet, but about to be; undefined means removal. */
  #changed = new Map<string, PendingLink | undefined>()
  #committing = new Map<string, PendingLink | undefined>()
  /** Last value read; undefined to start from the first. */
  #readUpTo: string | undefined

  /** @param onUnreadable called with the number of unreadable links, which are skipped. */
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

  /** Adds a link to write; replaces another one for the same entity. */
  async add(key: string, link: PendingLink): Promise<void> {
    // Links that are only in the state came before it.
    const isNext = this.#size <= this.#ready.size + this.#taken.size && this.#ready.size < pageSize
    const isKnown = this.#has(key)
    this.#taken.delete(key)
    this.#changed.set(key, link)
    if (isNext || this.#ready.has(key)) this.#ready.set(key, link)
    if (!(isThenable(isKnown) ? await isKnown : isKnown)) this.#size++
  }

  /**
   * Hands out a link to write, with its key; undefined if all are written or handed out. Return it with one
   * of the methods below.
   */
  async take(): Promise<[string, PendingLink] | undefined> {
    // Twice, because the first read may reach the end while others are at the start.
    for (let reads = 0; reads < 2 && this.#ready.size === 0 && this.#size > this.#taken.size; reads++)
      await this.#read()
    const next: [string, PendingLink] | undefined = this.#ready.entries().next().value
    if (next === undefined) return undefined
    this.#ready.delete(next[0])
    this.#taken.set(...next)
    return next
  }

  /** The link is done. @returns false if it was replaced or removed in the meantime. */
  done(key: string, link: PendingLink): boolean {
    if (this.#taken.get(key) !== link) return false
    this.#taken.delete(key)
    this.#changed.set(key, undefined)
    this.#size--
    return true
  }

  /** The link still has to be written. @param attempts its own failures so far. */
  giveBack(key: string, link: PendingLink, attempts = link.attempts): void {
    if (this.#taken.get(key) !== link) return
    this.#taken.delete(key)
    const again = attempts === link.attempts ? link : { ...link, attempts }
    if (again !== link) this.#changed.set(key, again)
    this.#ready.set(key, again)
  }

  /** This entity needs no link. @returns whether that must be saved. */
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

  /** Values changed since the last call, plus those of that call if they may not have been saved. */
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

  /** Whether a link for this entity is pending. */
  #has(key: string): MaybePromise<boolean> {
    for (const changes of [this.#changed, this.#committing])
      if (changes.has(key)) return changes.get(key) !== undefined
    const value = this.#store?.value(`${prefix}${key}`)
    return isThenable(value) ? value.then((text) => text !== undefined) : value !== undefined
  }

  async #countRemoved(isKnown: Promise<boolean>): Promise<void> {
    if (await isKnown.catch(() => false)) this.#size--
  }

  /** Refills the ready links from the state, and from changes on their way there. */
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
