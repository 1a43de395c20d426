import {
  type DeadLetterUpdate,
  type EntityRecord,
  type NewDeadLetter,
  type StateChanges,
} from '../store/state-store.ts'

/** Changes of the state that are not written yet: of each entity and each dead letter the newest. */
export class PendingChanges {
  /** Undefined: to be removed. */
  readonly entities = new Map<string, EntityRecord | undefined>()
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
    return this.entities.size + this.outdated.size + this.#deadLettersSize
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
