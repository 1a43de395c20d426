import { compareKeys } from './compare-keys.ts'
import { type Claim, type ClaimPlace, type ItemRecord } from './state-store.ts'

const maxItemsAt = 100

/** The claims and items of a {@link MemoryStore}. */
export class MemoryClaims {
  readonly #byEntity = new Map<string, Map<string, Claim>>()
  readonly #byKey = new Map<string, Map<string, Claim>>()
  readonly #items = new Map<string, ItemRecord>()
  /** In order, until the next change. */
  #sortedClaimed: readonly string[] | undefined
  #sortedItems: readonly string[] | undefined

  get itemCount(): number {
    return this.#items.size
  }

  get claimCount(): number {
    let count = 0
    for (const claims of this.#byKey.values()) count += claims.size
    return count
  }

  put(claim: Claim): void {
    groupOf(this.#byEntity, claim.entity).set(claim.key, claim)
    groupOf(this.#byKey, claim.key).set(claim.entity, claim)
    this.#sortedClaimed = undefined
  }

  delete({ entity, key }: ClaimPlace): void {
    removeFrom(this.#byEntity, entity, key)
    removeFrom(this.#byKey, key, entity)
    this.#sortedClaimed = undefined
  }

  putItem(record: ItemRecord): void {
    this.#items.set(record.key, record)
    this.#sortedItems = undefined
  }

  deleteItem(key: string): void {
    this.#items.delete(key)
    this.#sortedItems = undefined
  }

  of(entity: string, afterKey: string, limit: number): readonly Claim[] {
    return pageOf(this.#byEntity.get(entity), afterKey, limit)
  }

  on(key: string, afterEntity: string, limit: number): readonly Claim[] {
    return pageOf(this.#byKey.get(key), afterEntity, limit)
  }

  /** A page of all claims, by key, then entity. */
  page(after: ClaimPlace, limit: number): readonly Claim[] {
    this.#sortedClaimed ??= [...this.#byKey.keys()].toSorted(compareKeys)
    const found: Claim[] = []
    for (const key of this.#sortedClaimed) {
      const order = compareKeys(key, after.key)
      if (order < 0) continue
      found.push(...this.on(key, order === 0 ? after.entity : '', limit - found.length))
      if (found.length === limit) break
    }
    return found
  }

  item(key: string): ItemRecord | undefined {
    return this.#items.get(key)
  }

  itemsAt(externalId: string): readonly ItemRecord[] {
    return [...this.#items.values()].filter((item) => item.externalId === externalId).slice(0, maxItemsAt)
  }

  items(afterKey: string, limit: number): readonly ItemRecord[] {
    this.#sortedItems ??= [...this.#items.keys()].toSorted(compareKeys)
    const keys = this.#sortedItems.filter((key) => compareKeys(key, afterKey) > 0)
    return keys.slice(0, limit).map((key) => this.#items.get(key)!)
  }
}

function groupOf(groups: Map<string, Map<string, Claim>>, name: string): Map<string, Claim> {
  let group = groups.get(name)
  if (group === undefined) groups.set(name, (group = new Map()))
  sortedNames.delete(group)
  return group
}

function removeFrom(groups: Map<string, Map<string, Claim>>, name: string, member: string): void {
  const group = groups.get(name)
  if (group?.delete(member) !== true) return
  sortedNames.delete(group)
  if (group.size === 0) groups.delete(name)
}

/** The names of groups in order, until the next change. */
const sortedNames = new WeakMap<ReadonlyMap<string, Claim>, readonly string[]>()

function pageOf(
  group: ReadonlyMap<string, Claim> | undefined,
  after: string,
  limit: number,
): readonly Claim[] {
  if (group === undefined) return []
  const names = sortedNames.get(group) ?? [...group.keys()].toSorted(compareKeys)
  sortedNames.set(group, names)
  let [begin, end] = [0, names.length]
  while (begin < end) {
    const middle = (begin + end) >> 1
    if (compareKeys(names[middle]!, after) > 0) end = middle
    else begin = middle + 1
  }
  return names.slice(begin, begin + limit).map((name) => group.get(name)!)
}
