import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type CommitPart } from '../checkpoint/commit-part.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type Claim, type ItemRecord, type MaybePromise, type StateStore } from '../store/state-store.ts'

/** Prefix of a claim whose change was about to reach the target; after a kill, it may or may not have. */
const openMark = ' '

/** Stands for a claim that is about to be made. */
export const intended = openMark

/** Stands for the target's item under a key, as JSON text, if its state is unknown. */
export const unsure = 'null'

/** Whether a change of this claim may have reached the target. */
export const isOpen = (claim: string | undefined): boolean => claim?.startsWith(openMark) === true

/** Number of claims to read at a time. */
const pageSize = 1000

/**
 * Which entities have which items, as far as the target has accepted them. A claim is written together with
 * its effect on the target's item, and unwritten changes take precedence when reading.
 *
 * The claims of an entity only change while its lane is held; those on a key only while the key's lane is.
 */
export class Claims implements CommitPart {
  readonly #store: StateStore
  readonly #checkpointer: Checkpointer
  readonly #progress: { holdsItems: boolean }
  #isInUse = false
  #isWritten = false

  constructor(store: StateStore, checkpointer: Checkpointer, progress: { holdsItems: boolean }) {
    this.#progress = progress
    this.#store = store
    this.#checkpointer = checkpointer
  }

  /** Whether the connector has keyed items rather than one item per entity. */
  get isInUse(): boolean {
    return this.#isInUse
  }

  /** From now on the connector has items. */
  use(): void {
    this.#isInUse = true
    this.#progress.holdsItems = true
  }

  async open(): Promise<void> {
    this.#isWritten = (await this.#store.value(storedValues.items)) !== undefined
    if (this.#isWritten) this.use()
  }

  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (!this.#isInUse || (this.#isWritten && !isUnsure)) return nothing
    this.#isWritten = true
    return inUse
  }

  /** What an entity claims, by key, as JSON text. */
  async of(entity: string): Promise<ReadonlyMap<string, string>> {
    const unwritten = this.#checkpointer.state.unwritten.map(({ claims }) => claims.of(entity))
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

  /** All claims on a key except those of `except`, in order of entity. */
  async *on(key: string, except: string): AsyncGenerator<string> {
    for await (const { item } of this.#claimsOn(key, except)) yield item.trimStart()
  }

  async *#claimsOn(key: string, except: string | undefined): AsyncGenerator<Claim> {
    const changes = new Map<string, Claim | undefined>()
    for (const { claims } of this.#checkpointer.state.unwritten.toReversed()) {
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

  /** An entity that claims a key; undefined if there is none. */
  async claimant(key: string): Promise<string | undefined> {
    for await (const { entity } of this.#claimsOn(key, undefined)) return entity
    return undefined
  }

  /** What the target has under a key. */
  item(key: string): MaybePromise<ItemRecord | undefined> {
    for (const { claims } of this.#checkpointer.state.unwritten) {
      if (claims.items.has(key)) return claims.items.get(key)
    }
    return this.#read(key, () => this.#store.item(key))
  }

  /** Whether the target has another item under the same id. */
  async isShared({ key, externalId }: ItemRecord): Promise<boolean> {
    const { unwritten } = this.#checkpointer.state
    const stored = await this.#read(`at ${externalId!}`, () => this.#store.itemsAt(externalId!))
    const byKey = new Map<string, ItemRecord | undefined>(stored.map((item) => [item.key, item]))
    for (const { claims } of unwritten.toReversed())
      for (const [each, item] of claims.items) byKey.set(each, item)
    byKey.delete(key)
    return [...byKey.values()].some((item) => item?.externalId === externalId)
  }

  /** The entity now has this item, as JSON text; undefined if it no longer does. */
  put(entity: string, key: string, item: string | undefined): void {
    const { claims } = this.#checkpointer.state.newest
    if (item === undefined) claims.delete({ entity, key })
    else claims.put({ entity, key, item })
    this.#checkpointer.touch()
  }

  /**
   * Records that a change of a key is about to reach the target, before it does. After a crash, the event
   * behind it may only come again with a newer state of its entity, or after events of other entities with
   * the same key.
   *
   * @param before the claim before.
   * @param record what the target has under the key.
   * @throws StreamConnectorError with a `STATE_` code if the state cannot be written.
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

  /** The target now has this under the key; undefined if it has nothing. */
  putItem(key: string, record: ItemRecord | undefined): void {
    this.#checkpointer.state.newest.claims.items.set(key, record)
    this.#checkpointer.touch()
  }

  #read<T>(what: string, read: () => MaybePromise<T>): MaybePromise<T> {
    return this.#checkpointer.state.read(`items of ${what}`, read)
  }
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()
const inUse: ReadonlyMap<string, string> = new Map([[storedValues.items, 'yes']])
