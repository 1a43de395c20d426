import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { StateError } from '../errors/state-error.ts'

/**
 * The files of a state that is held, and whether they are where they were. A file that was deleted or replaced while it is
 * open takes what is written to it, and keeps nothing of that beyond the end of the process; and without the lock file
 * another process can hold the state as well.
 */
export class HeldFiles {
  readonly #fileName: string
  /** By path. An open file keeps its number, and no other file gets it. */
  readonly #numbers = new Map<string, number>()

  /** @param stateFile its path; it is open, and so are those beside it. */
  constructor(stateFile: string, lockFile: string) {
    this.#fileName = basename(stateFile)
    const paths = [stateFile, `${stateFile}-wal`, `${stateFile}-shm`, lockFile]
    for (const path of paths) {
      const number = numberOf(path)
      if (number !== undefined) this.#numbers.set(path, number)
    }
  }

  /** @throws StateError `STATE_NOT_WRITTEN` when one of them is not there any more, or is another one. */
  requireInPlace(): void {
    for (const [path, number] of this.#numbers) {
      if (numberOf(path) === number) continue
      throw new StateError(
        'STATE_NOT_WRITTEN',
        `The file ${basename(path)} in the state folder (CONNECTOR_STATE_DIR) was deleted or replaced while the connector ` +
          `holds the state ${this.#fileName}. Nothing is written any more. Put it back, or restart the connector: it goes ` +
          'on from what is in the folder then, or from the position that the platform keeps.',
      )
    }
  }
}

function numberOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
