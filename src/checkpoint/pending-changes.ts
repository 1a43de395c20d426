import {
  type DeadLetterUpdate,
  type EntityRecord,
  type NewDeadLetter,
  type StateChanges,
  type StateStore,
} from '../store/state-store.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../util/position.ts'
import { PendingClaims } from './pending-claims.ts'

/** Changes of the state that are not written yet: of each entity and each dead letter the newest. */
export class PendingChanges {
  /** Undefined: to be removed. */
  readonly entities = new Map<string, EntityRecord | undefined>()
  readonly claims = new PendingClaims()
  readonly removedDeadLetters = new Set<number>()
  /** Keys whose dead letters are older than an event that ended, with its position. */
  readonly outdated = new Map<string, string>()
  /** All positions that the store has from before are to be forgotten. */
  forgetsPositions = false
  #values: ReadonlyMap<string, string | undefined> = new Map()
  #deadLetters: NewDeadLetter[] = []
  #deadLettersSize = 0
  #updatedDeadLetters = new Map<number, DeadLetterUpdate>()

  /** Those that grow with what is delivered; a dead letter counts once more for each kilobyte of its event. */
  get size(): number {
    return this.entities.size + this.claims.size + this.outdated.size + this.#deadLettersSize
  }

  get hasDeadLetters(): boolean {
    return this.#deadLetters.length > 0
  }

  /**
   * The positions of all that was remembered so far say nothing any more.
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

  /** Puts what could not be written back under what came meanwhile, which is newer. */
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
   * The same as a commit takes it.
   *
   * @param values go with it.
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

/** What is remembered of an entity when its position says nothing any more. */
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
 * Beyond this, entities that go are not remembered: after a crash, those are created and deleted once more. So many have
 * to go while one event that came before them all is still not finished.
 */
const maxDepartures = 100_000

/** What a commit changes of the departures. */
export interface RecentDeleteChanges {
  readonly putDepartures: ReadonlyMap<string, string>
  readonly removeDepartures: readonly string[]
}

/**
 * Entities that are gone from the target while the saved position still stands before their end. The id map no longer
 * knows them; without this, a crash would have all of their life told again: created and deleted once more.
 *
 * Small for most of the time: when the position passes the end of an entity, it is forgotten.
 */
export class RecentDeletes {
  readonly #positions = new Map<string, Position>()
  /** What the store does not have yet. */
  #pending = new Set<string>()
  readonly #stored = new Set<string>()
  #passed: Position | undefined

  /** What an earlier process has left. */
  async open(store: StateStore): Promise<void> {
    for (const [key, text] of await store.departures()) {
      const position = parsePosition(text)
      if (position !== undefined) this.#positions.set(key, position)
      this.#stored.add(key)
    }
  }

  /** An entity has gone with the event at `position`. */
  add(key: string, position: Position): void {
    if (this.#positions.size >= maxDepartures && !this.#positions.has(key)) return
    this.#positions.set(key, position)
    this.#pending.add(key)
  }

  /** The position of the event with which an entity has gone, if events before it can come again. */
  positionOf(key: string): Position | undefined {
    return this.#positions.get(key)
  }

  /** Forgets all: positions say nothing any more. The store has to be told elsewhere. */
  clear(): void {
    this.#positions.clear()
    this.#pending.clear()
    this.#stored.clear()
  }

  /**
   * What a commit has to change, when it saves `safe`. Call one of the answered functions when the commit is over.
   */
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
          // It may have come back and gone again meanwhile.
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
