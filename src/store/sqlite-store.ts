import { existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { StateError } from '../errors/state-error.ts'
import { openStateFile, SqliteConnection } from './sqlite-connection.ts'
import { compactId } from './compact-id.ts'
import { stateFailure } from './sqlite-failure.ts'
import { createPrivateFile, isBusy, SqliteLock } from './sqlite-lock.ts'
import { claimOfRow, deadLetterOfRow, entityOfRow, itemOfRow } from './sqlite-rows.ts'
import { claim, migrate } from './sqlite-schema.ts'
import { entitiesAtOnce, type SqliteStatements } from './sqlite-statements.ts'
import { lockFileOf, stateFileOf } from './state-file.ts'
import { SqliteThread } from './sqlite-thread.ts'
import { type Claim, type ClaimPlace, type DeadLetter, type EntityRecord } from './state-store.ts'
import { type ItemRecord, type StateChanges, type StateOpening, type StateStore } from './state-store.ts'

/**
 * Keeps a connector's state in one SQLite file through `node:sqlite`: nothing to compile, and `sqlite3` can
 * open it. Commits survive `kill -9`; a `durable` commit, and everything before it, also survives a power
 * failure. Calls run immediately, on the calling thread: a commit of 100 entities takes under a millisecond.
 * Only large commits run in another thread (`largeCommitEntities`).
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
  readonly #largeCommitEntities: number
  readonly #mayHaveThread: boolean
  #connection: SqliteConnection | undefined
  #lock: SqliteLock | undefined
  #heldFiles: HeldFiles | undefined
  /** Started by the first commit that needs it. */
  #thread: SqliteThread | undefined

  constructor(options: SqliteStoreOptions) {
    this.#directory = options.directory
    this.#path = resolve(stateFileOf(options))
    this.#fileName = basename(this.#path)
    this.#access = options.access ?? 'exclusive'
    this.#largeCommitEntities = options.largeCommitEntities ?? 500
    this.#mayHaveThread = this.#access === 'exclusive' && this.#largeCommitEntities !== Infinity
  }

  async open(owner: string): Promise<StateOpening> {
    if (this.#connection !== undefined) throw new StateError('STATE_LOCKED', 'This state is already open.')
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
          `The state file ${this.#fileName} does not exist in the state folder. Check CONNECTOR_STATE_DIR and CONNECTOR_ID; ` +
            'the connector creates the file when it first starts.',
        )
      }
      const mayChange = this.#access === 'exclusive'
      database = openStateFile(this.#path, { readOnly: this.#access === 'read-only' })
      migrate(database, { fileName: this.#fileName, mayChange })
      if (mayChange) database.exec('PRAGMA journal_mode = WAL')
      const fresh = claim(database, { owner, fileName: this.#fileName, mayChange })
      this.#connection = new SqliteConnection(database)
      if (this.#mayHaveThread) this.#connection.hurry()
      this.#lock = lock
      if (lock !== undefined) this.#heldFiles = new HeldFiles(this.#path, lockFileOf(this.#path))
      return mayChange && mayOthersWrite(this.#directory) ? { fresh, isOpenToOthers: true } : { fresh }
    } catch (error) {
      database?.close()
      lock?.release()
      throw stateFailure(error, 'reading', this.#fileName)
    }
  }

  value(name: string): string | undefined {
    return this.#read((statements) => statements.value.get(name)?.['value'] as string | undefined)
  }

  async values(page: {
    prefix: string
    afterName?: string | undefined
    limit: number
  }): Promise<ReadonlyMap<string, string>> {
    return this.#read(({ valuesAfter }) => {
      const rows = valuesAfter.all(page.afterName ?? page.prefix, endOf(page.prefix), page.limit)
      return new Map(rows.map((row) => [row['name'] as string, row['value'] as string]))
    })
  }

  async countValues(prefix: string): Promise<number> {
    return this.#read(({ countValues }) => Number(countValues.get(prefix, endOf(prefix))?.['count']))
  }

  entity(key: string): EntityRecord | undefined {
    return this.#read((statements) => {
      const row = statements.entity.get(compactId(key))
      return row === undefined ? undefined : entityOfRow(row, key)
    })
  }

  entitiesOf(keys: readonly string[]): readonly (EntityRecord | undefined)[] {
    return this.#read(({ entitiesOf }) => {
      const records = keys.map((): EntityRecord | undefined => undefined)
      for (let start = 0; start < keys.length; start += entitiesAtOnce) {
        const ids = Array.from({ length: entitiesAtOnce }, (_, place) => idOrNull(keys[start + place]))
        for (const row of entitiesOf.all(...ids)) {
          const index = start + (row['place'] as number)
          records[index] = entityOfRow(row, keys[index])
        }
      }
      return records
    })
  }

  entitiesAt(externalId: string): readonly EntityRecord[] {
    return this.#read(({ entitiesAt }) =>
      entitiesAt.all(compactId(externalId)).map((row) => entityOfRow(row)),
    )
  }

  async entities(page: { afterKey?: string | undefined; limit: number }): Promise<readonly EntityRecord[]> {
    return this.#read(({ firstEntities, entitiesAfter }) => {
      const rows =
        page.afterKey === undefined
          ? firstEntities.all(page.limit)
          : entitiesAfter.all(compactId(page.afterKey), page.limit)
      return rows.map((row) => entityOfRow(row))
    })
  }

  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    return this.#read(({ expiring }) => expiring.all(page.atMs, page.limit).map((row) => entityOfRow(row)))
  }

  async countEntities(): Promise<number> {
    return this.#read(({ countEntities }) => Number(countEntities.get()?.['count']))
  }

  claimsOf(page: { entity: string; afterKey?: string | undefined; limit: number }): readonly Claim[] {
    return this.#read(({ claimsOf }) =>
      claimsOf.all(page.entity, page.afterKey ?? '', page.limit).map(claimOfRow),
    )
  }

  claimsOn(page: { key: string; afterEntity?: string | undefined; limit: number }): readonly Claim[] {
    return this.#read(({ claimsOn }) =>
      claimsOn.all(page.key, page.afterEntity ?? '', page.limit).map(claimOfRow),
    )
  }

  async claims(page: { after?: ClaimPlace | undefined; limit: number }): Promise<readonly Claim[]> {
    const { key, entity } = page.after ?? { key: '', entity: '' }
    return this.#read(({ claimsAfter }) => claimsAfter.all(key, entity, page.limit).map(claimOfRow))
  }

  item(key: string): ItemRecord | undefined {
    return this.#read((statements) => {
      const row = statements.item.get(key)
      return row === undefined ? undefined : itemOfRow(row)
    })
  }

  itemsAt(externalId: string): readonly ItemRecord[] {
    return this.#read(({ itemsAt }) => itemsAt.all(externalId).map(itemOfRow))
  }

  async items(page: { afterKey?: string | undefined; limit: number }): Promise<readonly ItemRecord[]> {
    return this.#read(({ itemsAfter }) => itemsAfter.all(page.afterKey ?? '', page.limit).map(itemOfRow))
  }

  async countItems(): Promise<number> {
    return this.#read(({ countItems }) => Number(countItems.get()?.['count']))
  }

  async countClaims(): Promise<number> {
    return this.#read(({ countClaims }) => Number(countClaims.get()?.['count']))
  }

  async departures(): Promise<ReadonlyMap<string, string>> {
    return this.#read(({ departures }) => {
      const rows = departures.all()
      return new Map(rows.map((row) => [row['key'] as string, row['position'] as string]))
    })
  }

  async deadLetters(page: Parameters<StateStore['deadLetters']>[0]): Promise<readonly DeadLetter[]> {
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
    return this.#write((connection) =>
      connection.transaction((statements) => {
        if (request.ids === undefined) return Number(statements.requestAllReplays.run(kind).changes)
        let count = 0
        for (const id of new Set(request.ids)) count += Number(statements.requestReplay.run(kind, id).changes)
        return count
      }),
    )
  }

  async commit(changes: StateChanges): Promise<void> {
    await this.#write((connection) => {
      const all = withArrays(changes)
      if (all.putEntities.length + all.putClaims.length < this.#largeCommitEntities) {
        try {
          return connection.commit(all)
        } catch (error) {
          if (!this.#mayHaveThread || !isBusy(error)) throw error
          // Nothing has been written; the thread can wait instead.
        }
      }
      this.#thread ??= new SqliteThread(this.#path, connection)
      return this.#thread.isAlive ? this.#thread.commit(all) : connection.commit(all)
    })
  }

  async close(): Promise<void> {
    const connection = this.#connection
    const thread = this.#thread
    this.#connection = undefined
    this.#thread = undefined
    try {
      await thread?.close()
      connection?.close()
    } finally {
      this.#lock?.release()
      this.#lock = undefined
    }
  }

  #read<T>(work: (statements: SqliteStatements) => T): T {
    if (this.#connection === undefined) throw notOpen('STATE_UNREADABLE')
    try {
      return work(this.#connection.statements)
    } catch (error) {
      throw stateFailure(error, 'reading', this.#fileName)
    }
  }

  /** One at a time: two connections would wait for each other, and block this thread. */
  async #write<T>(work: (connection: SqliteConnection) => T | Promise<T>): Promise<T> {
    while (this.#thread?.running !== undefined) await this.#thread.running
    if (this.#connection === undefined) throw notOpen('STATE_NOT_WRITTEN')
    if (this.#access === 'read-only') {
      throw new StateError('STATE_NOT_WRITTEN', 'This state was opened read-only.')
    }
    try {
      this.#heldFiles?.requireInPlace()
      return await work(this.#connection)
    } catch (error) {
      throw stateFailure(error, 'writing', this.#fileName)
    }
  }
}

/** Options of a {@link SqliteStore}. */
export interface SqliteStoreOptions {
  /**
   * Folder; created for its owner only if missing. Must be on a local disk: network file systems lose locks.
   */
  readonly directory: string
  /** Determines the file name: `<directory>/<connector id>.sqlite`. */
  readonly connectorId: string
  /**
   * - `exclusive`: for the connector; a second one is refused
   * - `shared`: for tools that make changes (request a replay, purge) while the connector may be running
   * - `read-only`: for tools that only read
   *
   * Only `exclusive` creates what is missing.
   * @default 'exclusive'
   */
  readonly access?: 'exclusive' | 'shared' | 'read-only' | undefined
  /**
   * Commits with at least this many entities take milliseconds and run in a worker thread. The thread needs
   * some megabytes, and starts with the first such commit, or when a commit must wait for another program.
   * `Infinity` disables it.
   * @default 500
   */
  readonly largeCommitEntities?: number | undefined
}

function notOpen(code: 'STATE_UNREADABLE' | 'STATE_NOT_WRITTEN'): StateError {
  return new StateError(code, 'The state was used before it was opened or after it was closed.')
}

const idOrNull = (text: string | undefined) => (text === undefined ? null : compactId(text))

/** Arrays instead of generators, so that changes can be retried and sent to another thread. */
function withArrays(changes: StateChanges) {
  return {
    ...changes,
    putEntities: [...(changes.putEntities ?? [])],
    deleteEntities: [...(changes.deleteEntities ?? [])],
    putClaims: [...(changes.putClaims ?? [])],
    deleteClaims: [...(changes.deleteClaims ?? [])],
    putItems: [...(changes.putItems ?? [])],
    deleteItems: [...(changes.deleteItems ?? [])],
    removeDepartures: [...(changes.removeDepartures ?? [])],
    addDeadLetters: [...(changes.addDeadLetters ?? [])],
    removeDeadLetters: [...(changes.removeDeadLetters ?? [])],
    updateDeadLetters: [...(changes.updateDeadLetters ?? [])],
  }
}

/** The first text after all texts that start with `prefix`, which must end in an ASCII character. */
function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}

/** Whether every user may write to a folder. Windows has no such bit. */
function mayOthersWrite(directory: string): boolean {
  return process.platform !== 'win32' && (statSync(directory).mode & 0o002) !== 0
}

/**
 * The files of an open state, and whether they are still in place. A file that is deleted or replaced while
 * it is open accepts writes but loses them when the process ends; and without the lock file, another process
 * can open the state as well.
 */
export class HeldFiles {
  readonly #fileName: string
  /** By path. An open file keeps its number, and no other file gets it. */
  readonly #numbers = new Map<string, number>()

  /** @param stateFile its path; the file, its log, and its lock file are open. */
  constructor(stateFile: string, lockFile: string) {
    this.#fileName = basename(stateFile)
    const paths = [stateFile, `${stateFile}-wal`, `${stateFile}-shm`, lockFile]
    for (const path of paths) {
      const number = numberOf(path)
      if (number !== undefined) this.#numbers.set(path, number)
    }
  }

  /** @throws StateError `STATE_NOT_WRITTEN` if one of them is gone or was replaced. */
  requireInPlace(): void {
    for (const [path, number] of this.#numbers) {
      if (numberOf(path) === number) continue
      throw new StateError(
        'STATE_NOT_WRITTEN',
        `The file ${basename(path)} in the state folder (CONNECTOR_STATE_DIR) was deleted or replaced while the connector ` +
          `holds the state ${this.#fileName}. Nothing more is written. Restore it, or restart the connector: it then ` +
          'continues from what is in the folder, or from the position on the platform.',
      )
    }
  }
}

function numberOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
