import {
  type DeadLetterUpdate,
  type EntityRecord,
  type NewDeadLetter,
  type StateChanges,
  type StateStore,
} from '../store/state-store.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../util/position.ts'
import { PendingClaims } from './pending-claims.ts'

/** Unwritten changes of the state: the newest of each entity and each dead letter. */
export class PendingChanges {
  /** Undefined: remove it. */
  readonly entities = new Map<string, EntityRecord | undefined>()
  readonly claims = new PendingClaims()
  readonly removedDeadLetters = new Set<number>()
  /** Keys whose dead letters are older than an event that ended, with its position. */
  readonly outdated = new Map<string, string>()
  /** The store must forget all earlier positions. */
  forgetsPositions = false
  #values: ReadonlyMap<string, string | undefined> = new Map()
  #deadLetters: NewDeadLetter[] = []
  #deadLettersSize = 0
  #updatedDeadLetters = new Map<number, DeadLetterUpdate>()

  /**
   * Number of changes that grow with deliveries; a dead letter counts once more for each kilobyte of its
   * event.
   */
  get size(): number {
    return this.entities.size + this.claims.size + this.outdated.size + this.#deadLettersSize
  }

  get hasDeadLetters(): boolean {
    return this.#deadLetters.length > 0
  }

  /**
   * Invalidates all positions remembered so far.
   *
   * @param values change with it.
   */
  forgetPositions(values: ReadonlyMap<string, string | undefined>): void {
    for (const [key, record] of this.entities) this.entities.set(key, withoutPosition(record))
    this.forgetsPositions = true
    this.#values = new Map([...this.#values, ...values])
  }

  addDeadLetter(letter: NewDeadLetter): void {
    this.#deadLetters.push(letter)
    this.#deadLettersSize += 1 + Math.floor(letter.data.length / 1000)
  }

  updateDeadLetter(update: DeadLetterUpdate): void {
    this.#updatedDeadLetters.set(update.id, update)
  }

  /** Merges changes that could not be written below the newer ones. */
  addOlder(older: PendingChanges): void {
    for (const [key, record] of older.entities) if (!this.entities.has(key)) this.entities.set(key, record)
    this.claims.addOlder(older.claims)
    this.forgetsPositions ||= older.forgetsPositions
    this.#values = new Map([...older.#values, ...this.#values])
    this.#deadLetters = [...older.#deadLetters, ...this.#deadLetters]
    this.#deadLettersSize += older.#deadLettersSize
    for (const id of older.removedDeadLetters) this.removedDeadLetters.add(id)
    this.#updatedDeadLetters = new Map([...older.#updatedDeadLetters, ...this.#updatedDeadLetters])
    for (const [key, position] of older.outdated)
      if (!this.outdated.has(key)) this.outdated.set(key, position)
  }

  /**
   * Converts them for a commit.
   *
   * @param values are written with it.
   */
  stateChanges(values: ReadonlyMap<string, string | undefined>): StateChanges {
    return {
      values: new Map([...this.#values, ...values]),
      forgetPositions: this.forgetsPositions,
      putEntities: present(this.entities),
      deleteEntities: absent(this.entities),
      ...this.claims.changes(),
      addDeadLetters: this.#deadLetters,
      updateDeadLetters: this.#updatedDeadLetters.values(),
      outdateDeadLetters: this.outdated,
      removeDeadLetters: this.removedDeadLetters,
    }
  }
}

/** The record of an entity once its position is invalid. */
export function withoutPosition(record: EntityRecord | undefined): EntityRecord | undefined {
  if (record === undefined) return undefined
  const { position: _, caughtUpMs: __, ...rest } = record
  return rest
}

function* present(entities: ReadonlyMap<string, EntityRecord | undefined>): Iterable<EntityRecord> {
  for (const record of entities.values()) if (record !== undefined) yield record
}

function* absent(entities: ReadonlyMap<string, EntityRecord | undefined>): Iterable<string> {
  for (const [key, record] of entities) if (record === undefined) yield key
}

/**
 * Above this number, withdrawn entities are not remembered: after a crash they are created and deleted once
 * more. It takes this many withdrawals while an earlier event is unfinished.
 */
const maxRecentDeletes = 100_000

/** Changes of the recent deletes in a commit. */
export interface RecentDeleteChanges {
  readonly putDepartures: ReadonlyMap<string, string>
  readonly removeDepartures: readonly string[]
}

/**
 * Entities withdrawn from the target while the saved position is still before their withdrawal. The id map no
 * longer has them. Without this, a crash would repeat their whole history: created and deleted once more.
 *
 * Usually small: an entity is forgotten when the position passes its withdrawal.
 */
export class RecentDeletes {
  readonly #positions = new Map<string, Position>()
  /** What the store does not have yet. */
  #pending = new Set<string>()
  readonly #stored = new Set<string>()
  #passed: Position | undefined

  /** Loads what an earlier process left, or what other copies have done since. */
  async open(store: StateStore): Promise<void> {
    for (const [key, text] of await store.departures()) {
      if (this.#pending.has(key)) continue
      const position = parsePosition(text)
      if (position !== undefined) this.#positions.set(key, position)
      this.#stored.add(key)
    }
  }

  /** The event at `position` withdrew an entity. */
  add(key: string, position: Position): void {
    if (this.#positions.size >= maxRecentDeletes && !this.#positions.has(key)) return
    this.#positions.set(key, position)
    this.#pending.add(key)
  }

  /** The position of the event that withdrew an entity, if earlier events can come again. */
  positionOf(key: string): Position | undefined {
    return this.#positions.get(key)
  }

  /** Forgets everything: positions are invalid. The caller must clear the store. */
  clear(): void {
    this.#positions.clear()
    this.#pending.clear()
    this.#stored.clear()
  }

  /** What a commit must change if it saves `safe`. Call one of the returned functions when the commit is over. */
  changes(safe: Position): RecentDeleteChanges & { readonly done: () => void; readonly failed: () => void } {
    const putDepartures = new Map<string, string>()
    const pending = this.#pending
    this.#pending = new Set()
    for (const key of pending) {
      const position = this.#positions.get(key)
      if (position === undefined) continue
      if (comparePositions(position, safe) > 0) putDepartures.set(key, formatPosition(position))
      else if (!this.#stored.has(key)) this.#positions.delete(key)
    }
    const removeDepartures = this.#passedBy(safe)
    return {
      putDepartures,
      removeDepartures,
      done: () => {
        for (const key of putDepartures.keys()) this.#stored.add(key)
        for (const key of removeDepartures) {
          this.#stored.delete(key)
          // It may have come back and been withdrawn again in the meantime.
          if (!this.#pending.has(key)) this.#positions.delete(key)
        }
        this.#passed = safe
      },
      failed: () => {
        for (const key of putDepartures.keys()) this.#pending.add(key)
      },
    }
  }

  #passedBy(safe: Position): string[] {
    if (this.#stored.size === 0) return []
    if (this.#passed !== undefined && comparePositions(safe, this.#passed) === 0) return []
    return [...this.#stored].filter((key) => {
      const position = this.#positions.get(key)
      return position === undefined || comparePositions(position, safe) <= 0
    })
  }
}
