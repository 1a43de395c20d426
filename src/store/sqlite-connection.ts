import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { compactId } from './compact-id.ts'
import { openDatabase } from './sqlite-lock.ts'
import { prepareStatements, type SqliteStatements, entitiesAtOnce } from './sqlite-statements.ts'
import { type StateChanges, type EntityRecord } from './state-store.ts'
import { isEarlierPosition } from './earlier-position.ts'
import { deadLetterParameters, type Parameter, pushEntityParameters, textParameter } from './sqlite-rows.ts'

/** How long a write waits for another program's write, in milliseconds. Blocks the thread. */
const busyTimeoutMs = 2000

/** The same for a connection that must not block its thread: writes by the command line take milliseconds. */
const hurriedBusyTimeoutMs = 100

/** Page cache, in KiB. */
const cacheKiB = 16_384

/**
 * Pages of 4 KiB to collect in the write-ahead log before they go to the file. SQLite's default of 1000
 * writes frequently changed pages (each batch touches random places of the index) several times as often;
 * measured, 100,000 new entities take 1.3 s instead of 2.
 */
const checkpointPages = 4000

/** The same on a nearly full disk. */
const fewestCheckpointPages = 16

/** Page size, in bytes. */
const pageBytes = 4096

/**
 * Share of the free disk space the log may use. If the log took it all, the file could not absorb the log.
 */
const logShare = 1 / 16

/** Size the log is truncated to after a burst, as a multiple of its normal size. */
const logExcess = 4

/** Opens a state file the way every thread does. */
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

/** Number of pages the log may collect, given the free space on this file's disk. */
function checkpointPagesBeside(path: string): number {
  try {
    const { bavail, bsize, blocks } = statfsSync(dirname(path))
    // Some file systems do not say.
    if (blocks === 0) return checkpointPages
    const pages = Math.trunc((bavail * bsize * logShare) / pageBytes)
    return Math.min(Math.max(pages, fewestCheckpointPages), checkpointPages)
  } catch {
    return checkpointPages
  }
}

/** One thread's connection to a complete state file, with its prepared statements. */
export class SqliteConnection {
  readonly statements: SqliteStatements
  readonly #database: DatabaseSync
  /** Undefined: the database's current setting is unknown. */
  #isDurable: boolean | undefined

  /** Takes over the database, and closes it in the end. */
  constructor(database: DatabaseSync) {
    this.#database = database
    this.statements = prepareStatements(database)
  }

  /**
   * From now on, a write blocked by another program fails quickly, because it can be retried where there is
   * time to wait.
   */
  hurry(): void {
    this.#database.exec(`PRAGMA busy_timeout = ${hurriedBusyTimeoutMs}`)
  }

  /**
   * Applies all changes or none.
   *
   * @param number stored with them; see {@link lastNumber}.
   */
  commit(changes: StateChanges, number?: number): void {
    // In WAL mode, FULL means one fsync of the log after the commit. It covers earlier commits, which precede
    // it in the same log or were synced to the main file when the log was rewound
    // (sqlite.org/pragma.html#pragma_synchronous). A transaction that changes no page is not synced, hence
    // the counter. Set before the commit and not reset after it: if setting it fails, nothing has changed.
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

  /** Number of the last numbered commit; 0 if there was none. */
  get lastNumber(): number {
    return Number(this.statements.lastNumber.get()?.['value'] ?? 0)
  }

  /** Runs `work` completely or not at all. */
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
    // A full disk and some other failures roll back on their own (sqlite.org/lang_transaction.html).
  }
}

/** Makes the changes, within the current transaction. */
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
  for (const key of changes.deleteEntities ?? []) statements.deleteEntity.run(compactId(key))
  for (const { entity, key, item } of changes.putClaims ?? []) statements.putClaim.run(entity, key, item)
  for (const { entity, key } of changes.deleteClaims ?? []) statements.deleteClaim.run(entity, key)
  for (const { key, externalId, item } of changes.putItems ?? [])
    statements.putItem.run(key, externalId ?? null, item)
  for (const key of changes.deleteItems ?? []) statements.deleteItem.run(key)
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
 * Writes entities in order of key, so that each page of the index is visited once, and many per call, because a call
 * costs as much as a row. Together, this takes half the time of single writes, measured with 5000 new entities.
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

/** Without an id map, every event asks this, and there is seldom a dead letter. */
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
