import { createHash } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { StateError } from '../errors/state-error.ts'
import { applyChanges } from './sqlite-changes.ts'
import { stateFailure } from './sqlite-failure.ts'
import { createPrivateFile, openDatabase, SqliteLock } from './sqlite-lock.ts'
import { deadLetterOfRow, entityOfRow } from './sqlite-rows.ts'
import { claim, migrate } from './sqlite-schema.ts'
import { prepareStatements, type SqliteStatements } from './sqlite-statements.ts'
import {
  type DeadLetter,
  type EntityRecord,
  type StateChanges,
  type StateOpening,
  type StateStore,
} from './state-store.ts'

/** Where a {@link SqliteStore} keeps its file, and how it holds it. */
export interface SqliteStoreOptions {
  /** The folder; made, for its owner alone, when it does not exist. It must be on a local disk: network file systems lose locks. */
  readonly directory: string
  /** Names the file: `<directory>/<connector id>.sqlite`. */
  readonly connectorId: string
  /**
   * - `exclusive` (the default): for the connector; a second one is refused
   * - `shared`: for tools that change something (ask for a replay, purge) while the connector may be running
   * - `read-only`: for tools that only look
   *
   * Only `exclusive` creates what is missing.
   */
  readonly access?: 'exclusive' | 'shared' | 'read-only' | undefined
}

/** How long a write waits for another program's write, in milliseconds. Nothing else happens meanwhile. */
const busyTimeoutMs = 2000

/** Pages kept in memory, in KiB. */
const cacheKiB = 16_384

/**
 * How many pages of 4 KiB the write-ahead log gathers before they go into the file. SQLite's 1000 would write a
 * page that changes often (every batch touches random places of the index) several times as often; measured, 100,000
 * new entities take 1.3 s instead of 2.
 */
const checkpointPages = 4000

/** What the write-ahead log is cut back to after a burst, in bytes. */
const walBytes = 67_108_864

/**
 * Keeps a connector's state in one SQLite file through `node:sqlite`: nothing to compile, and `sqlite3` can open it.
 * What was committed survives `kill -9`; what was committed as `durable`, and everything before it, also survives
 * a loss of power. Calls do their work at once, on the calling thread: a commit of 100 entities takes under a
 * millisecond.
 *
 * @example
 * ```ts
 * import { SqliteStore } from 'opencti-stream-connector'
 *
 * const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
 * const store = new SqliteStore({ directory: './state', connectorId, access: 'read-only' })
 * await store.open(connectorId)
 * console.log(await store.countDeadLetters())
 * await store.close()
 * ```
 */
export class SqliteStore implements StateStore {
  readonly #directory: string
  readonly #path: string
  readonly #fileName: string
  readonly #access: NonNullable<SqliteStoreOptions['access']>
  #database: DatabaseSync | undefined
  #statements: SqliteStatements | undefined
  #lock: SqliteLock | undefined

  constructor(options: SqliteStoreOptions) {
    this.#directory = options.directory
    this.#path = stateFileOf(options)
    this.#fileName = basename(this.#path)
    this.#access = options.access ?? 'exclusive'
  }

  async open(owner: string): Promise<StateOpening> {
    if (this.#database !== undefined) throw new StateError('STATE_LOCKED', 'This state is already open.')
    let lock: SqliteLock | undefined
    let database: DatabaseSync | undefined
    try {
      if (this.#access === 'exclusive') {
        mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
        lock = SqliteLock.acquire(lockFileOf(this.#path))
        createPrivateFile(this.#path)
      } else if (!existsSync(this.#path)) {
        throw new StateError(
          'STATE_UNREADABLE',
          `There is no state file ${this.#fileName} in the state folder. Check CONNECTOR_STATE_DIR and CONNECTOR_ID; ` +
            'the connector makes the file when it first starts.',
        )
      }
      const mayChange = this.#access === 'exclusive'
      database = openDatabase(this.#path, { readOnly: this.#access === 'read-only' })
      database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA cache_size = -${cacheKiB}`)
      migrate(database, { fileName: this.#fileName, mayChange })
      if (mayChange) database.exec(`PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = ${walBytes}`)
      database.exec(`PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${checkpointPages}`)
      const fresh = claim(database, { owner, fileName: this.#fileName, mayChange })
      this.#statements = prepareStatements(database)
      this.#database = database
      this.#lock = lock
      return { fresh }
    } catch (error) {
      database?.close()
      lock?.release()
      throw stateFailure(error, 'reading', this.#fileName)
    }
  }

  value(name: string): string | undefined {
    return this.#read((statements) => statements.value.get(name)?.['value'] as string | undefined)
  }

  entity(key: string): EntityRecord | undefined {
    return this.#read((statements) => {
      const row = statements.entity.get(key)
      return row === undefined ? undefined : entityOfRow(row, key)
    })
  }

  async entities(page: { afterKey?: string | undefined; limit: number }): Promise<readonly EntityRecord[]> {
    return this.#read(({ firstEntities, entitiesAfter }) => {
      const rows =
        page.afterKey === undefined
          ? firstEntities.all(page.limit)
          : entitiesAfter.all(page.afterKey, page.limit)
      return rows.map((row) => entityOfRow(row))
    })
  }

  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    return this.#read(({ expiring }) => expiring.all(page.atMs, page.limit).map((row) => entityOfRow(row)))
  }

  async countEntities(): Promise<number> {
    return this.#read(({ countEntities }) => Number(countEntities.get()?.['count']))
  }

  async departures(): Promise<ReadonlyMap<string, string>> {
    return this.#read(({ departures }) => {
      const rows = departures.all()
      return new Map(rows.map((row) => [row['key'] as string, row['position'] as string]))
    })
  }

  async deadLetters(page: {
    afterId?: number | undefined
    limit: number
    onlyReplay?: boolean | undefined
    withoutData?: boolean | undefined
    newestFirst?: boolean | undefined
  }): Promise<readonly DeadLetter[]> {
    return this.#read(({ replaysAfter, deadLettersAfter, summariesAfter, newestSummaries }) => {
      if (page.newestFirst === true) return newestSummaries.all(page.limit).map(deadLetterOfRow)
      const all = page.withoutData === true ? summariesAfter : deadLettersAfter
      const statement = page.onlyReplay === true ? replaysAfter : all
      return statement.all(page.afterId ?? 0, page.limit).map(deadLetterOfRow)
    })
  }

  async deadLetter(id: number): Promise<DeadLetter | undefined> {
    return this.#read((statements) => {
      const row = statements.deadLetter.get(id)
      return row === undefined ? undefined : deadLetterOfRow(row)
    })
  }

  async countDeadLetters(): Promise<number> {
    return this.#read(({ countDeadLetters }) => Number(countDeadLetters.get()?.['count']))
  }

  async requestReplay(request: { ids?: readonly number[] | undefined; force: boolean }): Promise<number> {
    const kind = request.force ? 'forced' : 'requested'
    return this.#write((statements) => {
      if (request.ids === undefined) return Number(statements.requestAllReplays.run(kind).changes)
      let count = 0
      for (const id of new Set(request.ids)) count += Number(statements.requestReplay.run(kind, id).changes)
      return count
    })
  }

  async commit(changes: StateChanges): Promise<void> {
    if (changes.durable !== true) {
      this.#write((statements) => applyChanges(statements, changes))
      return
    }
    // In WAL mode FULL means one fsync of the log after the commit. Earlier commits are before it in the same log,
    // or were synced into the main file when the log was rewound, so that they are covered too
    // (sqlite.org/pragma.html#pragma_synchronous). A transaction that changes no page is not synced at all:
    // hence the counter.
    this.#synchronous('FULL')
    try {
      this.#write((statements) => {
        applyChanges(statements, changes)
        statements.countDurable.run()
      })
    } finally {
      this.#synchronous('NORMAL')
    }
  }

  async close(): Promise<void> {
    const database = this.#database
    this.#database = undefined
    this.#statements = undefined
    try {
      database?.close()
    } finally {
      this.#lock?.release()
      this.#lock = undefined
    }
  }

  #synchronous(level: 'FULL' | 'NORMAL'): void {
    this.#database?.exec(`PRAGMA synchronous = ${level}`)
  }

  #read<T>(work: (statements: SqliteStatements) => T): T {
    if (this.#statements === undefined) throw notOpen('STATE_UNREADABLE')
    try {
      return work(this.#statements)
    } catch (error) {
      throw stateFailure(error, 'reading', this.#fileName)
    }
  }

  #write<T>(work: (statements: SqliteStatements) => T): T {
    const statements = this.#statements
    if (statements === undefined) throw notOpen('STATE_NOT_WRITTEN')
    if (this.#access === 'read-only') {
      throw new StateError('STATE_NOT_WRITTEN', 'This state was opened to be read only.')
    }
    let begun = false
    try {
      statements.begin.run()
      begun = true
      const result = work(statements)
      statements.commit.run()
      return result
    } catch (error) {
      if (begun) rollback(statements)
      throw stateFailure(error, 'writing', this.#fileName)
    }
  }
}

function rollback(statements: SqliteStatements): void {
  try {
    statements.rollback.run()
  } catch {
    // A full disk and some other failures roll back by themselves (sqlite.org/lang_transaction.html).
  }
}

function notOpen(code: 'STATE_UNREADABLE' | 'STATE_NOT_WRITTEN'): StateError {
  return new StateError(code, 'The state was used before it was opened or after it was closed.')
}

/** The path of the state file of a connector. */
export function stateFileOf({
  directory,
  connectorId,
}: Pick<SqliteStoreOptions, 'directory' | 'connectorId'>): string {
  return join(directory, `${fileNameOf(connectorId)}.sqlite`)
}

/** The path of the file that is locked while a connector holds a state file. */
export function lockFileOf(stateFile: string): string {
  return stateFile.replace(/\.sqlite$/, '.lock')
}

/** The id where it can name a file everywhere (a UUID can); else what is left of it, and a hash that keeps ids apart. */
function fileNameOf(connectorId: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(connectorId)) return connectorId
  const hash = createHash('sha256').update(connectorId).digest('hex').slice(0, 12)
  return `${connectorId.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 80)}-${hash}`
}
