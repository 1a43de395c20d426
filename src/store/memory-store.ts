import { StateError } from '../errors/state-error.ts'
import { compareKeys } from './compare-keys.ts'
import { isEarlierPosition } from './earlier-position.ts'
import { MemoryClaims } from './memory-claims.ts'
import {
  type Claim,
  type ClaimPlace,
  type DeadLetter,
  type DeadLetterUpdate,
  type EntityRecord,
  type ItemRecord,
  type StateChanges,
  type StateOpening,
  type StateStore,
} from './state-store.ts'

const maxEntitiesAt = 100

/**
 * Keeps a connector's state in memory: for tests, and for connectors that only need the position on the
 * platform. Survives `close` and a new `open` of the same instance, like a file, so tests can restart a
 * connector. Everything, including dead letters, is gone when the process ends.
 *
 * @example
 * ```ts
 * import { MemoryStore } from 'opencti-stream-connector'
 *
 * const store = new MemoryStore()
 * await store.open('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
 * await store.commit({ values: new Map([['position', '1700000000000-0']]) })
 * ```
 */
export class MemoryStore implements StateStore {
  #owner: string | undefined
  #held = false
  #lastDeadLetterId = 0
  /** Sorted keys and ids; cached until the next change. */
  #sortedKeys: readonly string[] | undefined
  #sortedIds: readonly number[] | undefined
  readonly #values = new Map<string, string>()
  readonly #entities = new Map<string, EntityRecord>()
  readonly #departures = new Map<string, string>()
  readonly #claims = new MemoryClaims()
  /** By id: ids only increase, and a Map keeps insertion order. */
  readonly #deadLetters = new Map<number, DeadLetter>()

  async open(owner: string): Promise<StateOpening> {
    if (this.#held) {
      throw new StateError(
        'STATE_LOCKED',
        'Another connector is already using this state. Give each connector its own store, or close the first one.',
      )
    }
    if (this.#owner !== undefined && this.#owner !== owner) {
      throw new StateError(
        'STATE_FOREIGN',
        `This state belongs to connector ${this.#owner}, not to ${owner}. Give each connector id its own store.`,
      )
    }
    const fresh = this.#owner === undefined
    this.#owner = owner
    this.#held = true
    return { fresh }
  }

  value(name: string): string | undefined {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#values.get(name)
  }

  async values(page: {
    prefix: string
    afterName?: string | undefined
    limit: number
  }): Promise<ReadonlyMap<string, string>> {
    const after = page.afterName ?? page.prefix
    const found = this.#valuesWith(page.prefix).filter(([name]) => compareKeys(name, after) > 0)
    return new Map(found.toSorted(([a], [b]) => compareKeys(a, b)).slice(0, page.limit))
  }

  async countValues(prefix: string): Promise<number> {
    return this.#valuesWith(prefix).length
  }

  entity(key: string): EntityRecord | undefined {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#entities.get(key)
  }

  entitiesOf(keys: readonly string[]): readonly (EntityRecord | undefined)[] {
    this.#requireOpen('STATE_UNREADABLE')
    return keys.map((key) => this.#entities.get(key))
  }

  entitiesAt(externalId: string): readonly EntityRecord[] {
    this.#requireOpen('STATE_UNREADABLE')
    const found: EntityRecord[] = []
    for (const entity of this.#entities.values()) {
      if (entity.externalId === externalId && found.push(entity) === maxEntitiesAt) break
    }
    return found
  }

  async entities(page: { afterKey?: string | undefined; limit: number }): Promise<readonly EntityRecord[]> {
    this.#requireOpen('STATE_UNREADABLE')
    this.#sortedKeys ??= [...this.#entities.keys()].toSorted(compareKeys)
    const start = page.afterKey === undefined ? 0 : firstAfter(this.#sortedKeys, page.afterKey, compareKeys)
    return this.#sortedKeys.slice(start, start + page.limit).map((key) => this.#entities.get(key)!)
  }

  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    this.#requireOpen('STATE_UNREADABLE')
    const due: (EntityRecord & { expiresAtMs: number })[] = []
    for (const entity of this.#entities.values()) {
      const { expiresAtMs } = entity
      if (expiresAtMs !== undefined && expiresAtMs <= page.atMs) due.push({ ...entity, expiresAtMs })
    }
    return due
      .toSorted((a, b) => a.expiresAtMs - b.expiresAtMs || compareKeys(a.key, b.key))
      .slice(0, page.limit)
  }

  async countEntities(): Promise<number> {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#entities.size
  }

  claimsOf(page: { entity: string; afterKey?: string | undefined; limit: number }): readonly Claim[] {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.of(page.entity, page.afterKey ?? '', page.limit)
  }

  claimsOn(page: { key: string; afterEntity?: string | undefined; limit: number }): readonly Claim[] {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.on(page.key, page.afterEntity ?? '', page.limit)
  }

  async claims(page: { after?: ClaimPlace | undefined; limit: number }): Promise<readonly Claim[]> {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.page(page.after ?? { key: '', entity: '' }, page.limit)
  }

  item(key: string): ItemRecord | undefined {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.item(key)
  }

  itemsAt(externalId: string): readonly ItemRecord[] {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.itemsAt(externalId)
  }

  async items(page: { afterKey?: string | undefined; limit: number }): Promise<readonly ItemRecord[]> {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.items(page.afterKey ?? '', page.limit)
  }

  async countItems(): Promise<number> {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.itemCount
  }

  async countClaims(): Promise<number> {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#claims.claimCount
  }

  async departures(): Promise<ReadonlyMap<string, string>> {
    this.#requireOpen('STATE_UNREADABLE')
    return new Map(this.#departures)
  }

  async deadLetters(page: Parameters<StateStore['deadLetters']>[0]): Promise<readonly DeadLetter[]> {
    this.#requireOpen('STATE_UNREADABLE')
    this.#sortedIds ??= [...this.#deadLetters.keys()]
    if (page.newestFirst === true) {
      const newest = this.#sortedIds.slice(-page.limit).toReversed()
      return newest.map((id) => Object.assign({}, this.#deadLetters.get(id)!, { data: '' }))
    }
    const letters: DeadLetter[] = []
    let index = firstAfter(this.#sortedIds, page.afterId ?? 0, (a, b) => a - b)
    for (; index < this.#sortedIds.length && letters.length < page.limit; index++) {
      const letter = this.#deadLetters.get(this.#sortedIds[index]!)!
      if (page.onlyReplay === true && letter.replay === undefined) continue
      letters.push(page.withoutData === true ? { ...letter, data: '' } : letter)
    }
    return letters
  }

  async deadLetter(id: number): Promise<DeadLetter | undefined> {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#deadLetters.get(id)
  }

  async countDeadLetters(): Promise<number> {
    this.#requireOpen('STATE_UNREADABLE')
    return this.#deadLetters.size
  }

  async requestReplay(request: { ids?: readonly number[] | undefined; force: boolean }): Promise<number> {
    this.#requireOpen('STATE_NOT_WRITTEN')
    let count = 0
    for (const id of new Set(request.ids ?? this.#deadLetters.keys())) {
      const letter = this.#deadLetters.get(id)
      if (letter?.key === undefined) continue
      // Once forced, always forced: a later request for all letters must not undo that.
      const replay = request.force || letter.replay === 'forced' ? 'forced' : 'requested'
      this.#deadLetters.set(id, { ...letter, replay })
      count++
    }
    return count
  }

  async commit(changes: StateChanges): Promise<void> {
    this.#requireOpen('STATE_NOT_WRITTEN')
    const { values, putEntities, deleteEntities, claims, ...letters } = collect(changes)
    const { addDeadLetters, removeDeadLetters, updateDeadLetters, putDepartures, removeDepartures } = letters

    for (const [name, value] of values) {
      if (value === undefined) this.#values.delete(name)
      else this.#values.set(name, value)
    }
    if (putEntities.length > 0 || deleteEntities.length > 0) this.#sortedKeys = undefined
    if (changes.forgetPositions === true) {
      for (const [key, { position: _, caughtUpMs: __, ...rest }] of this.#entities)
        this.#entities.set(key, rest)
      this.#departures.clear()
    }
    for (const entity of putEntities) this.#entities.set(entity.key, entity)
    for (const key of deleteEntities) this.#entities.delete(key)
    for (const claim of claims.putClaims) this.#claims.put(claim)
    for (const place of claims.deleteClaims) this.#claims.delete(place)
    for (const item of claims.putItems) this.#claims.putItem(item)
    for (const key of claims.deleteItems) this.#claims.deleteItem(key)
    for (const [key, position] of putDepartures) this.#departures.set(key, position)
    for (const key of removeDepartures) this.#departures.delete(key)
    if (addDeadLetters.length > 0 || removeDeadLetters.length > 0) this.#sortedIds = undefined
    for (const letter of addDeadLetters) {
      const id = ++this.#lastDeadLetterId
      this.#deadLetters.set(id, { ...letter, id })
    }
    for (const update of updateDeadLetters) this.#updateDeadLetter(update)
    if (changes.outdateDeadLetters !== undefined) this.#outdateDeadLetters(changes.outdateDeadLetters)
    for (const id of removeDeadLetters) this.#deadLetters.delete(id)
  }

  async close(): Promise<void> {
    this.#held = false
  }

  #updateDeadLetter({ answered, ...update }: DeadLetterUpdate): void {
    const letter = this.#deadLetters.get(update.id)
    if (letter === undefined) return
    const { replay, ...rest } = letter
    this.#deadLetters.set(letter.id, {
      ...rest,
      ...update,
      ...(replay === undefined || replay === answered ? {} : { replay }),
    })
  }

  #outdateDeadLetters(newer: ReadonlyMap<string, string>): void {
    if (newer.size === 0) return
    for (const letter of this.#deadLetters.values()) {
      const position = letter.key === undefined ? undefined : newer.get(letter.key)
      if (position === undefined || !isEarlierPosition(letter.position, position)) continue
      this.#deadLetters.set(letter.id, { ...letter, outdatedBy: position })
    }
  }

  #valuesWith(prefix: string): [string, string][] {
    this.#requireOpen('STATE_UNREADABLE')
    return [...this.#values].filter(([name]) => name !== prefix && name.startsWith(prefix))
  }

  #requireOpen(code: 'STATE_UNREADABLE' | 'STATE_NOT_WRITTEN'): void {
    if (this.#held) return
    throw new StateError(code, 'The state was used before it was opened or after it was closed.')
  }
}

/** Everything that can fail (the iterables are the caller's) happens before the first change. */
function collect(changes: StateChanges) {
  try {
    return {
      values: [...(changes.values ?? [])],
      putEntities: Array.from(changes.putEntities ?? [], withoutUndefined),
      deleteEntities: [...(changes.deleteEntities ?? [])],
      claims: {
        putClaims: Array.from(changes.putClaims ?? [], withoutUndefined),
        deleteClaims: [...(changes.deleteClaims ?? [])],
        putItems: Array.from(changes.putItems ?? [], withoutUndefined),
        deleteItems: [...(changes.deleteItems ?? [])],
      },
      putDepartures: [...(changes.putDepartures ?? [])],
      removeDepartures: [...(changes.removeDepartures ?? [])],
      addDeadLetters: Array.from(changes.addDeadLetters ?? [], withoutUndefined),
      removeDeadLetters: [...(changes.removeDeadLetters ?? [])],
      updateDeadLetters: [...(changes.updateDeadLetters ?? [])],
    }
  } catch (error) {
    throw new StateError('STATE_NOT_WRITTEN', 'The changes could not be read; none of them was saved.', {
      cause: error,
    })
  }
}

/** A copy, so that later changes by the caller do not reach the store. */
function withoutUndefined<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T
}

/** Index of the first item in `sorted` that comes after `item`. */
function firstAfter<T>(sorted: readonly T[], item: T, compare: (a: T, b: T) => number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(sorted[middle]!, item) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
