import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { openDatabase } from './sqlite-lock.ts'
import { prepareStatements, type SqliteStatements, entitiesAtOnce } from './sqlite-statements.ts'
import { type StateChanges, type EntityRecord } from './state-store.ts'
import { isEarlierPosition } from './earlier-position.ts'
import { deadLetterParameters, type Parameter, pushEntityParameters, textParameter } from './sqlite-rows.ts'

/** How long a write waits for another program's write, in milliseconds. Nothing else happens meanwhile in the thread. */
const busyTimeoutMs = 2000

/** The same for a connection that must not hold up its thread: what the command line writes takes a few milliseconds. */
const hurriedBusyTimeoutMs = 100

/** Pages kept in memory, in KiB. */
const cacheKiB = 16_384

/**
 * How many pages of 4 KiB the write-ahead log gathers before they go into the file. SQLite's 1000 would write a
 * page that changes often (every batch touches random places of the index) several times as often; measured, 100,000
 * new entities take 1.3 s instead of 2.
 */
const checkpointPages = 4000

/** The same on a disk with next to no room. */
const fewestCheckpointPages = 16

/** The size of a page, in bytes. */
const pageBytes = 4096

/** Of a disk's free room, the part that the log may gather. Where the log took all of it, the file could not take in the log. */
const logShare = 1 / 16

/** What the log is cut back to after a burst, as a multiple of what it gathers. */
const logExcess = 4

/** Opens a state file as every thread does that works with it. */
export function openStateFile(path: string, options: { readonly readOnly: boolean }): DatabaseSync {
  const database = openDatabase(path, options)
  const pages = checkpointPagesBeside(path)
  try {
    database.exec(
      `PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA cache_size = -${cacheKiB}; PRAGMA synchronous = NORMAL;` +
        `PRAGMA wal_autocheckpoint = ${pages}; PRAGMA journal_size_limit = ${pages * pageBytes * logExcess}`,
    )
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** How many pages the log may gather on the disk of this file, whose free room it shares. */
function checkpointPagesBeside(path: string): number {
  try {
    const { bavail, bsize, blocks } = statfsSync(dirname(path))
    // Some file systems do not tell.
    if (blocks === 0) return checkpointPages
    const pages = Math.trunc((bavail * bsize * logShare) / pageBytes)
    return Math.min(Math.max(pages, fewestCheckpointPages), checkpointPages)
  } catch {
    return checkpointPages
  }
}

/** One thread's way into a state file that is complete: its statements, and how they are used to change it. */
export class SqliteConnection {
  readonly statements: SqliteStatements
  readonly #database: DatabaseSync
  /** Undefined: what is set for the database is not known. */
  #isDurable: boolean | undefined

  /** Closes the database with itself. */
  constructor(database: DatabaseSync) {
    this.#database = database
    this.statements = prepareStatements(database)
  }

  /** From now on, a write that another program holds up fails soon: it can be made where there is time to wait. */
  hurry(): void {
    this.#database.exec(`PRAGMA busy_timeout = ${hurriedBusyTimeoutMs}`)
  }

  /**
   * All of the changes or none.
   *
   * @param number is kept with them, to be asked for with {@link lastNumber}.
   */
  commit(changes: StateChanges, number?: number): void {
    // In WAL mode FULL means one fsync of the log after the commit. Earlier commits are before it in the same log,
    // or were synced into the main file when the log was rewound, so that they are covered too
    // (sqlite.org/pragma.html#pragma_synchronous). A transaction that changes no page is not synced at all:
    // hence the counter. Set before it and not back after it: what fails has changed nothing.
    const durable = changes.durable === true
    if (durable !== this.#isDurable)
      this.#database.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
    this.#isDurable = durable
    this.transaction((statements) => {
      applyChanges(statements, changes)
      if (durable) statements.countDurable.run()
      if (number !== undefined) statements.putNumber.run(String(number))
    })
  }

  /** The number of the last commit that had one; 0 when none had. */
  get lastNumber(): number {
    return Number(this.statements.lastNumber.get()?.['value'] ?? 0)
  }

  /** Everything that `work` does, or nothing. */
  transaction<T>(work: (statements: SqliteStatements) => T): T {
    const { statements } = this
    statements.begin.run()
    try {
      const result = work(statements)
      statements.commit.run()
      return result
    } catch (error) {
      rollback(statements)
      throw error
    }
  }

  close(): void {
    this.#database.close()
  }
}

function rollback(statements: SqliteStatements): void {
  try {
    statements.rollback.run()
  } catch {
    // A full disk and some other failures roll back by themselves (sqlite.org/lang_transaction.html).
  }
}

/** Makes the changes, within a transaction that is under way. */
export function applyChanges(statements: SqliteStatements, changes: StateChanges): void {
  for (const [name, value] of changes.values ?? []) {
    if (value === undefined) statements.deleteValue.run(name)
    else statements.putValue.run(name, value)
  }
  if (changes.forgetPositions === true) {
    statements.forgetPositions.run()
    statements.removeDepartures.run()
  }
  putEntities(statements, changes.putEntities ?? [])
  for (const key of changes.deleteEntities ?? []) statements.deleteEntity.run(key)
  for (const departure of changes.putDepartures ?? []) statements.putDeparture.run(...departure)
  for (const key of changes.removeDepartures ?? []) statements.removeDeparture.run(key)
  for (const letter of changes.addDeadLetters ?? []) {
    const { lastInsertRowid } = statements.addDeadLetter.run(...deadLetterParameters(letter))
    if (letter.route !== undefined) statements.putRoute.run(lastInsertRowid, letter.route)
  }
  for (const { id, attempts, lastAtMs, error, answered } of changes.updateDeadLetters ?? []) {
    statements.updateDeadLetter.run(attempts, lastAtMs, textParameter(error), id)
    if (answered !== undefined) statements.answerReplay.run(id, answered)
  }
  outdateDeadLetters(statements, changes.outdateDeadLetters ?? none)
  for (const id of changes.removeDeadLetters ?? []) statements.removeDeadLetter.run(id)
}

/**
 * In order of key, so that each page of the index is come to once, and many at a call, because a call costs as much as a
 * row: together half the time of one after the other, measured with 5000 new entities at once.
 */
function putEntities(statements: SqliteStatements, entities: Iterable<EntityRecord>): void {
  const sorted = [...entities].toSorted((one, other) => (one.key < other.key ? -1 : 1))
  const whole = sorted.length - (sorted.length % entitiesAtOnce)
  const parameters: Parameter[] = []
  for (let index = 0; index < whole; index++) {
    pushEntityParameters(parameters, sorted[index]!)
    if ((index + 1) % entitiesAtOnce !== 0) continue
    statements.putEntities.run(...parameters)
    parameters.length = 0
  }
  for (const entity of sorted.slice(whole)) {
    pushEntityParameters(parameters, entity)
    statements.putEntity.run(...parameters)
    parameters.length = 0
  }
}

const none: ReadonlyMap<string, string> = new Map()

/** Without an id map this is asked of every event; there seldom is a letter at all. */
function outdateDeadLetters(statements: SqliteStatements, positions: ReadonlyMap<string, string>): void {
  if (positions.size === 0 || statements.anyDeadLetter.get() === undefined) return
  for (const [key, position] of positions) {
    for (const row of statements.deadLettersOfKey.all(key)) {
      if (isEarlierPosition((row['position'] as string | null) ?? undefined, position)) {
        statements.outdate.run(row['id'] as number, position)
      }
    }
  }
}
