import { closeSync, existsSync, openSync } from 'node:fs'
import { basename } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { StateError } from '../errors/state-error.ts'
import { stateFailure } from './sqlite-failure.ts'

const busy = 5

/**
 * Locks a state for one process: an exclusive transaction, never committed, on a small SQLite file next to
 * it. The operating system owns the lock, so it disappears with the process however that ends, and a reused
 * process id cannot fake it. The state itself stays readable for the command line and `sqlite3`.
 */
export class SqliteLock {
  readonly #database: DatabaseSync

  private constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** @throws StateError `STATE_LOCKED` immediately if there is another holder. */
  static acquire(path: string): SqliteLock {
    const fileName = basename(path)
    let database: DatabaseSync | undefined
    try {
      createPrivateFile(path)
      database = openDatabase(path)
      // No journal file, because nothing is ever written here. For a read-only file, SQLite silently takes no
      // exclusive lock until a write.
      database.exec(
        'PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; PRAGMA user_version = 1',
      )
      return new SqliteLock(database)
    } catch (error) {
      database?.close()
      if (isBusy(error)) {
        throw new StateError(
          'STATE_LOCKED',
          'Another running connector is using the state of this connector id. Stop it first; or, to run two connectors, ' +
            'give each its own CONNECTOR_ID.',
          { cause: error },
        )
      }
      throw stateFailure(error, 'reading', fileName)
    }
  }

  /** Releases the lock. The file stays: if it were removed, two processes could lock two different files. */
  release(): void {
    this.#database.close()
  }
}

/**
 * Opens a SQLite file. Loads the module when a state is opened rather than at import: only then does Node 22
 * print its ExperimentalWarning about SQLite (silence it with `node --disable-warning=ExperimentalWarning`;
 * Node 24 prints none), and bundlers that strip `node:` from imports, which breaks `sqlite`, do no harm.
 */
export function openDatabase(path: string, options = { readOnly: false }): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  return new DatabaseSync(path, options)
}

/**
 * Ensures that the file exists and is readable by its owner only; SQLite gives its `-wal`, `-shm`, and
 * `-journal` files the same mode. Does not open an existing file: closing it would drop SQLite's locks on it
 * in this process (sqlite.org/howtocorrupt.html, 2.2).
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error
    // A dangling symbolic link: SQLite would create the file there, readable by everyone.
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  }
}

/** Whether another program holds the lock. */
export function isBusy(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { errcode?: unknown }
  return typeof errcode === 'number' && (errcode & 0xff) === busy
}
