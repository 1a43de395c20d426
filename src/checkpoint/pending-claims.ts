import { type Claim, type ClaimPlace, type ItemRecord, type StateChanges } from '../store/state-store.ts'

/** Unwritten changes of claims and items. */
export class PendingClaims {
  /** By key, then by entity; undefined: remove it. */
  readonly #onKey = new Map<string, Map<string, Claim | undefined>>()
  readonly #ofEntity = new Map<string, Map<string, Claim | undefined>>()
  /** Undefined: remove it. */
  readonly items = new Map<string, ItemRecord | undefined>()
  #size = 0

  /** Number of changed claims. */
  get size(): number {
    return this.#size
  }

  put(claim: Claim): void {
    this.#set(claim, claim)
  }

  delete(place: ClaimPlace): void {
    this.#set(place, undefined)
  }

  /** Changed claims of an entity, by key. */
  of(entity: string): ReadonlyMap<string, Claim | undefined> {
    return this.#ofEntity.get(entity) ?? none
  }

  /** Changed claims on a key, by entity. */
  on(key: string): ReadonlyMap<string, Claim | undefined> {
    return this.#onKey.get(key) ?? none
  }

  /** Merges changes that could not be written below the newer ones. */
  addOlder(older: PendingClaims): void {
    for (const [key, claims] of older.#onKey) {
      for (const [entity, claim] of claims) {
        if (this.#onKey.get(key)?.has(entity) !== true) this.#set({ entity, key }, claim)
      }
    }
    for (const [key, item] of older.items) if (!this.items.has(key)) this.items.set(key, item)
  }

  /** Converts them for a commit. */
  changes(): Pick<StateChanges, 'putClaims' | 'deleteClaims' | 'putItems' | 'deleteItems'> {
    if (this.#size === 0 && this.items.size === 0) return {}
    const putClaims: Claim[] = []
    const deleteClaims: ClaimPlace[] = []
    for (const [key, claims] of this.#onKey) {
      for (const [entity, claim] of claims) {
        if (claim === undefined) deleteClaims.push({ entity, key })
        else putClaims.push(claim)
      }
    }
    const items = [...this.items]
    return {
      putClaims,
      deleteClaims,
      putItems: items.flatMap(([, item]) => item ?? []),
      deleteItems: items.filter(([, item]) => item === undefined).map(([key]) => key),
    }
  }

  #set({ entity, key }: ClaimPlace, claim: Claim | undefined): void {
    const claims = groupOf(this.#onKey, key)
    if (!claims.has(entity)) this.#size++
    claims.set(entity, claim)
    groupOf(this.#ofEntity, entity).set(key, claim)
  }
}

const none: ReadonlyMap<string, Claim | undefined> = new Map()

function groupOf<T>(groups: Map<string, Map<string, T>>, name: string): Map<string, T> {
  let group = groups.get(name)
  if (group === undefined) groups.set(name, (group = new Map()))
  return group
}
