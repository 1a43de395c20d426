import { type Checkpointer, type CommitPart } from '../checkpoint/checkpointer.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type Claim, type ItemRecord, type MaybePromise, type StateStore } from '../store/state-store.ts'

/** Before a claim: the target is about to be told of a change, and may have been, when the process that meant to was killed. */
const openMark = ' '

/** In place of a claim: it is about to begin. */
export const intended = openMark

/** In place of what the target has under a key, as JSON text: it may be in another state than anybody knows, or gone. */
export const unsure = 'null'

/** Whether the target may have been told of a change of this claim. */
export const isOpen = (claim: string | undefined): boolean => claim?.startsWith(openMark) === true

/** Claims that are read at a time. */
const pageSize = 1000

/**
 * Which entities have which items, as far as the target has taken them: a claim is written together with what it made of the
 * item at the target, and read through what is not written yet.
 *
 * The claims of an entity change only while its lane is held, those on a key only while the lane of the key is.
 */
export class Claims implements CommitPart {
  readonly #store: StateStore
  readonly #checkpointer: Checkpointer
  #isInUse = false
  #isWritten = false

  constructor(store: StateStore, checkpointer: Checkpointer) {
    this.#store = store
    this.#checkpointer = checkpointer
  }

  /** Whether the connector has items, with a key each, and not one for each entity. */
  get isInUse(): boolean {
    return this.#isInUse
  }

  /** From now on the connector has items. */
  use(): void {
    this.#isInUse = true
  }

  async open(): Promise<void> {
    this.#isWritten = (await this.#store.value(storedValues.items)) !== undefined
    this.#isInUse ||= this.#isWritten
  }

  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (!this.#isInUse || (this.#isWritten && !isUnsure)) return nothing
    this.#isWritten = true
    return inUse
  }

  /** What an entity claims, by key, as JSON text. */
  async of(entity: string): Promise<ReadonlyMap<string, string>> {
    const unwritten = this.#checkpointer.unwritten.map(({ claims }) => claims.of(entity))
    const found = new Map<string, string>()
    for (let afterKey: string | undefined; ;) {
      const page = await this.#read(entity, () => this.#store.claimsOf({ entity, afterKey, limit: pageSize }))
      for (const { key, item } of page) found.set(key, item)
      if (page.length < pageSize) break
      afterKey = page.at(-1)!.key
    }
    for (const layer of unwritten.toReversed()) {
      for (const [key, claim] of layer) {
        if (claim === undefined) found.delete(key)
        else found.set(key, claim.item)
      }
    }
    return found
  }

  /** All claims on a key, those of `except` left out, in order of entity. */
  async *on(key: string, except: string): AsyncGenerator<string> {
    for await (const { item } of this.#claimsOn(key, except)) yield item.trimStart()
  }

  async *#claimsOn(key: string, except: string | undefined): AsyncGenerator<Claim> {
    const changes = new Map<string, Claim | undefined>()
    for (const { claims } of this.#checkpointer.unwritten.toReversed()) {
      for (const [entity, claim] of claims.on(key)) changes.set(entity, claim)
    }
    if (except !== undefined) changes.set(except, undefined)
    for (let afterEntity: string | undefined; ;) {
      const page = await this.#read(key, () => this.#store.claimsOn({ key, afterEntity, limit: pageSize }))
      for (const claim of page) if (!changes.has(claim.entity) && claim.item !== intended) yield claim
      if (page.length < pageSize) break
      afterEntity = page.at(-1)!.entity
    }
    for (const claim of changes.values()) if (claim !== undefined && claim.item !== intended) yield claim
  }

  /** An entity that claims a key; undefined when none does. */
  async claimant(key: string): Promise<string | undefined> {
    for await (const { entity } of this.#claimsOn(key, undefined)) return entity
    return undefined
  }

  /** What the target holds under a key. */
  item(key: string): MaybePromise<ItemRecord | undefined> {
    for (const { claims } of this.#checkpointer.unwritten) {
      if (claims.items.has(key)) return claims.items.get(key)
    }
    return this.#read(key, () => this.#store.item(key))
  }

  /** Whether the target holds something else under the same id of its own. */
  async isShared({ key, externalId }: ItemRecord): Promise<boolean> {
    const { unwritten } = this.#checkpointer
    const stored = await this.#read(`at ${externalId!}`, () => this.#store.itemsAt(externalId!))
    const byKey = new Map<string, ItemRecord | undefined>(stored.map((item) => [item.key, item]))
    for (const { claims } of unwritten.toReversed())
      for (const [each, item] of claims.items) byKey.set(each, item)
    byKey.delete(key)
    return [...byKey.values()].some((item) => item?.externalId === externalId)
  }

  /** The entity has the item now, as JSON text; undefined when it has it no longer. */
  put(entity: string, key: string, item: string | undefined): void {
    const { claims } = this.#checkpointer.unwritten[0]!
    if (item === undefined) claims.delete({ entity, key })
    else claims.put({ entity, key, item })
    this.#checkpointer.touch()
  }

  /**
   * Writes down that the target is about to be told something under a key, before it is. After a crash, the event that asks
   * for it may come again only in a newer state of its entity, or after those of other entities with the same key.
   *
   * @param before the claim as it was.
   * @param record what the target has under the key.
   * @throws StreamConnectorError with a `STATE_` code when the state cannot be written.
   */
  async announce(
    entity: string,
    key: string,
    before: string | undefined,
    record: ItemRecord | undefined,
  ): Promise<void> {
    this.put(entity, key, isOpen(before) ? before : `${openMark}${before ?? ''}`)
    if (record !== undefined) this.putItem(key, { ...record, item: unsure })
    await this.#checkpointer.flush()
  }

  /** The target holds this under the key now; undefined when it holds nothing. */
  putItem(key: string, record: ItemRecord | undefined): void {
    this.#checkpointer.unwritten[0]!.claims.items.set(key, record)
    this.#checkpointer.touch()
  }

  #read<T>(what: string, read: () => MaybePromise<T>): MaybePromise<T> {
    return this.#checkpointer.read(`items of ${what}`, read)
  }
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()
const inUse: ReadonlyMap<string, string> = new Map([[storedValues.items, 'yes']])
