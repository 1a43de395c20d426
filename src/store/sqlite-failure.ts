import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { StateError } from '../errors/state-error.ts'

/** SQLite's primary result codes that need specific advice (sqlite.org/rescode.html). */
const sqlite = {
  perm: 3,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  notDatabase: 26,
}

/**
 * Explains what a failure of SQLite or the file system means for the state, and what to do.
 *
 * @param error what was thrown.
 * @param doing whether the state was being read (or opened) or changed.
 * @param fileName file name without its folder, because folders are values of settings.
 */
export function stateFailure(error: unknown, doing: 'reading' | 'writing', fileName: string): Error {
  if (isStreamConnectorError(error)) return error
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown }
  const primary = typeof errcode === 'number' ? errcode & 0xff : undefined
  if (primary === sqlite.corrupt || primary === sqlite.notDatabase) return corruptState(fileName, error)

  const file = `The state file ${fileName} in the state folder (CONNECTOR_STATE_DIR)`
  const why =
    reasons.get(primary ?? code) ?? ` (${error instanceof Error ? error.message : 'unknown failure'}).`
  return doing === 'writing'
    ? new StateError(
        'STATE_NOT_WRITTEN',
        `${file} could not be written${why} None of this change was saved.`,
        {
          cause: error,
        },
      )
    : new StateError('STATE_UNREADABLE', `${file} could not be opened${why}`, { cause: error })
}

const noRight =
  ': permission denied. Make the connector own the folder, with write permission, on a volume that is not read-only.'

const reasons = new Map<unknown, string>([
  [sqlite.full, ': the disk is full. Free up space; the connector then continues.'],
  [
    sqlite.ioError,
    ': the disk reported an error. Check for a full or failing disk, a quota, or a detached volume.',
  ],
  [sqlite.busy, ': another program is writing to it. Close that program, for example an open sqlite3 shell.'],
  [sqlite.readOnly, noRight],
  [sqlite.perm, noRight],
  [sqlite.cantOpen, noRight],
  ['EACCES', noRight],
  ['EPERM', noRight],
  ['EROFS', noRight],
  ['EEXIST', ': the folder is a file. Choose another folder, or move the file away.'],
  ['ENOTDIR', ': part of the path is a file. Choose another folder, or move the file away.'],
  ['ENOSPC', ': the disk is full. Free up space and start again.'],
])

/** The file is damaged, or was never a state. */
export function corruptState(fileName: string, cause?: unknown): StateError {
  return new StateError(
    'STATE_CORRUPT',
    `The state file ${fileName} in the state folder (CONNECTOR_STATE_DIR) is damaged or not a connector state. ` +
      `Move ${fileName}, ${fileName}-wal, and ${fileName}-shm away and start again: the connector then continues ` +
      'from the position on the platform, without its id map and dead letters.',
    { cause },
  )
}
