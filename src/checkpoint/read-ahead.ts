import { type EntityRecord, type StateStore } from '../store/state-store.ts'

/** Maximum records per query: more gain nothing and block the thread longer. */
const maxAtOnce = 100

/** Reading one record together with fewer others costs more than a single query. */
const minOthers = 3

/** Maximum number of keys held. Keys that are never requested would accumulate, so everything is dropped then. */
const maxHeld = 20_000

/** Keys that reach the store exactly as written; a NUL or an unpaired surrogate may not. All of the platform's do. */
const plainKey = /^[\w@-]+$/

/** Stands for a record that is going to be requested and was not read yet. */
const queued = Symbol('queued')

/**
 * Reads the records of entities with queued events, many per query: 2.9 µs instead of 5.8 µs of CPU per record for the 40
 * events in a chunk of 64 KB.
 */
export class ReadAhead {
  readonly #store: Pick<StateStore, 'entitiesOf'>
  /** Null: the store has none. */
  readonly #records = new Map<string, EntityRecord | null | typeof queued>()
  #queue: string[] = []

  /** @param store has an `entitiesOf`. */
  constructor(store: Pick<StateStore, 'entitiesOf'>) {
    this.#store = store
  }

  /** The record of this entity will be requested. */
  expect(key: string): void {
    if (this.#records.has(key) || !plainKey.test(key)) return
    if (this.#records.size >= maxHeld || this.#queue.length >= maxHeld) this.clear()
    this.#records.set(key, queued)
    this.#queue.push(key)
  }

  /**
   * The record of an expected entity, once; null if the store has none, undefined if it must be read alone.
   *
   * @param isUnwritten whether the store's record of an entity is outdated, or about to be; it is not read then.
   */
  take(key: string, isUnwritten: (key: string) => boolean): EntityRecord | null | undefined {
    const record = this.#records.get(key)
    if (record === undefined) return undefined
    this.#records.delete(key)
    return record === queued ? this.#readWithOthers(key, isUnwritten) : record
  }

  #readWithOthers(key: string, isUnwritten: (key: string) => boolean): EntityRecord | null | undefined {
    const keys = [key]
    for (const other of this.#queue.splice(0, maxAtOnce)) {
      if (this.#records.get(other) !== queued) continue
      this.#records.delete(other)
      if (!isUnwritten(other)) keys.push(other)
    }
    if (keys.length <= minOthers) return undefined
    let found: readonly (EntityRecord | undefined)[]
    try {
      found = this.#store.entitiesOf!(keys)
    } catch {
      // A damaged page must not hold up the entities on others: each is read alone, which reports it.
      return undefined
    }
    for (let index = 1; index < keys.length; index++) this.#records.set(keys[index]!, found[index] ?? null)
    return found[0] ?? null
  }

  /** The record of this entity is about to change. */
  forget(key: string): void {
    this.#records.delete(key)
  }

  clear(): void {
    this.#records.clear()
    this.#queue = []
  }
}
