import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type EntityRecord, type MaybePromise, type StateStore } from '../store/state-store.ts'
import { type StateNotice } from './commit-part.ts'
import { KnownKeys } from './known-keys.ts'
import { PendingChanges, withoutPosition } from './pending-changes.ts'
import { ReadAhead } from './read-ahead.ts'
import { UnreadKeys } from './unread-keys.ts'

/**
 * The state as it is now: what the store has, below the changes that are not written yet. Reads of the store
 * are avoided where the answer is known, and made for many entities at a time.
 */
export class CurrentState {
  readonly #store: StateStore
  #newest = new PendingChanges()
  /** The changes that the running commit writes; still consulted when an entity is read. */
  #writing: PendingChanges | undefined
  /** Keys written since the store was opened; undefined once the filter is useless. */
  #known: KnownKeys | undefined
  /** The store was empty at the start, so it has no other keys. */
  #beganEmpty = false
  #isAsked = false
  readonly #unread: UnreadKeys
  /** Undefined if the store cannot answer synchronously. */
  readonly #readAhead: ReadAhead | undefined

  constructor(store: StateStore, onNotice: (notice: StateNotice) => void) {
    this.#store = store
    if (store.entitiesOf !== undefined) this.#readAhead = new ReadAhead(store)
    this.#unread = new UnreadKeys((error) =>
      onNotice(error === undefined ? { kind: 'state-readable' } : { kind: 'state-not-read', error }),
    )
  }

  /** Why a part of the id map cannot be read; undefined if everything requested can. */
  get problem(): StreamConnectorError | undefined {
    return this.#unread.problem
  }

  /** Changes that the next commit writes. */
  get newest(): PendingChanges {
    return this.#newest
  }

  /** Unwritten changes, newest first. They take precedence over what is read from the store. */
  get unwritten(): readonly [PendingChanges, ...PendingChanges[]] {
    return this.#writing === undefined ? [this.#newest] : [this.#newest, this.#writing]
  }

  /** An event of this entity is queued: its record will be requested, and is then read together with others. */
  expect(key: string): void {
    if (this.#beganEmpty && this.#known?.mayHave(key) === false) return
    if (!this.#newest.entities.has(key)) this.#readAhead?.expect(key)
  }

  /** The record of an entity. */
  entity(key: string): MaybePromise<EntityRecord | undefined> {
    if (!this.#isAsked && this.#store.hasOtherWriters !== true) void this.#askWhetherEmpty()
    if (this.#beganEmpty && this.#known?.mayHave(key) === false) return undefined
    if (this.#newest.entities.has(key)) return this.#newest.entities.get(key)
    if (this.#writing?.entities.has(key)) return this.#writing.entities.get(key)
    const isForgetting = this.#newest.forgetsPositions || this.#writing?.forgetsPositions === true
    const ahead = isForgetting ? undefined : this.#readAhead?.take(key, this.isUnwritten)
    if (ahead !== undefined) return ahead ?? undefined
    const record = this.#unread.read(key, () => this.#store.entity(key))
    if (!isForgetting) return record
    return record instanceof Promise ? record.then(withoutPosition) : withoutPosition(record)
  }

  /**
   * Returns what `read` gets from the store, and reports if it cannot be read.
   *
   * @param what names the part of the state.
   */
  read<T>(what: string, read: () => MaybePromise<T>): MaybePromise<T> {
    return this.#unread.read(what, read)
  }

  /** Entities that are due, as the store has them; see {@link StateStore.expiring}. */
  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    return this.#unread.read('what is due', () => this.#store.expiring(page))
  }

  /** Whether another entity has the same id on the target, through the same route. */
  isShared(record: EntityRecord): MaybePromise<boolean> {
    const others = this.#unread.read(`at ${record.externalId!}`, () =>
      this.#store.entitiesAt(record.externalId!),
    )
    return others instanceof Promise
      ? others.then((found) => this.#isShared(record, found))
      : this.#isShared(record, others)
  }

  /** Whether a change of this entity is not in the store yet. */
  readonly isUnwritten = (key: string): boolean =>
    this.#newest.entities.has(key) || this.#writing?.entities.has(key) === true

  putEntity(record: EntityRecord): void {
    this.#newest.entities.set(record.key, record)
    this.#readAhead?.forget(record.key)
    if (this.#known === undefined) return
    this.#known.add(record.key)
    if (this.#known.isFull) this.#known = undefined
  }

  deleteEntity(key: string): void {
    this.#newest.entities.set(key, undefined)
    this.#readAhead?.forget(key)
  }

  /**
   * Invalidates the positions of all entities.
   *
   * @param values change with it.
   */
  forgetPositions(values: ReadonlyMap<string, string | undefined>): void {
    this.#readAhead?.clear()
    this.#newest.forgetPositions(values)
  }

  /** A commit begins. Returns what it must write; later changes go into the next one. */
  beginWriting(): PendingChanges {
    this.#writing = this.#newest
    this.#newest = new PendingChanges()
    return this.#writing
  }

  /** The commit that writes these changes has failed: the next one must write them. */
  notWritten(changes: PendingChanges): void {
    this.#newest.addOlder(changes)
  }

  /** The commit is over. */
  endWriting(): void {
    this.#writing = undefined
  }

  #isShared({ key, route, externalId }: EntityRecord, stored: readonly EntityRecord[]): boolean {
    const isOther = (each: EntityRecord | undefined) =>
      each?.key !== key && each?.route === route && each?.externalId === externalId
    for (const each of this.#newest.entities.values()) if (isOther(each)) return true
    for (const each of this.#writing?.entities.values() ?? [])
      if (isOther(each) && !this.#newest.entities.has(each!.key)) return true
    return stored.some((each) => isOther(each) && !this.isUnwritten(each.key))
  }

  /**
   * This process is the only one that writes to the store: if it is empty, only our own writes can appear in
   * it. Writes before the answer are already remembered.
   */
  async #askWhetherEmpty(): Promise<void> {
    this.#isAsked = true
    this.#known = new KnownKeys()
    for (const changes of this.unwritten) {
      for (const key of changes.entities.keys()) this.#known.add(key)
    }
    try {
      this.#beganEmpty = (await this.#store.entities({ limit: 1 })).length === 0
    } catch {
      // Then the store is asked for each key, and reports the error.
    }
    if (!this.#beganEmpty) this.#known = undefined
  }
}
