import { closeSync, existsSync, openSync } from 'node:fs'
import { basename } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { StateError } from '../errors/state-error.ts'
import { stateFailure } from './sqlite-failure.ts'

const busy = 5

/**
 * Holds a state for one process: an exclusive transaction on a small SQLite file beside it, never committed. The
 * lock is the operating system's, so it goes with the process however that ends, and a process id that is used
 * again cannot fake it. The state itself stays readable, for the command line and for `sqlite3`.
 */
export class SqliteLock {
  readonly #database: DatabaseSync

  private constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** @throws StateError `STATE_LOCKED` at once when another holder exists. */
  static acquire(path: string): SqliteLock {
    const fileName = basename(path)
    let database: DatabaseSync | undefined
    try {
      createPrivateFile(path)
      database = openDatabase(path)
      // Without a journal in a file: nothing is ever written here. Of a file that may be read only, SQLite takes no exclusive
      // lock and says nothing, until it is to change.
      database.exec(
        'PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; PRAGMA user_version = 1',
      )
      return new SqliteLock(database)
    } catch (error) {
      database?.close()
      if (isBusy(error)) {
        throw new StateError(
          'STATE_LOCKED',
          'Another running connector holds the state of this connector id. Stop it first; or, to run two connectors, ' +
            'give each its own CONNECTOR_ID.',
          { cause: error },
        )
      }
      throw stateFailure(error, 'reading', fileName)
    }
  }

  /** Lets go. The file stays: removing it would let two processes lock two different files. */
  release(): void {
    this.#database.close()
  }
}

/**
 * Opens a SQLite file. The module is looked up when a state is opened, not when this package is imported: only
 * then does Node 22 print its ExperimentalWarning about SQLite (silence it with
 * `node --disable-warning=ExperimentalWarning`; Node 24 prints none), and bundlers that strip `node:` from
 * imports, which `sqlite` does not survive, cannot break it.
 */
export function openDatabase(path: string, options = { readOnly: false }): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  return new DatabaseSync(path, options)
}

/**
 * Makes sure that the file exists, readable by its owner alone; SQLite gives its `-wal`, `-shm` and `-journal`
 * files the same mode. An existing file is not opened: closing it would drop the locks that SQLite holds on it
 * in this process (sqlite.org/howtocorrupt.html, 2.2).
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error
    // A link that leads nowhere yet: SQLite would make the file there, for everybody to read.
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  }
}

/** Whether another program holds what was asked for. */
export function isBusy(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { errcode?: unknown }
  return typeof errcode === 'number' && (errcode & 0xff) === busy
}
