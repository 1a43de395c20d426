import { accessSync, constants, lstatSync, readdirSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { stateFileOf } from './sqlite-store.ts'

/** The folder of the state where nobody has named one. */
export const defaultStateFolder = './state'

/** Where the state is kept. */
export interface StateFolder {
  readonly path: string
  /** Whether it stands in for {@link defaultStateFolder}, which cannot be written here. */
  readonly isFallback: boolean
}

/** What {@link chooseStateFolder} goes by. */
export interface StateFolderOptions {
  /** The setting; `./state` means that none was named. */
  readonly named: string
  /** Whose state it is; absent where any will do. */
  readonly connectorId?: string | undefined
  /** Default: that of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * The folder that was named; where none was, `./state`, and where this user may not write that, as in an image that was made by
 * somebody else: the user's folder for states (XDG_STATE_HOME), else one of its own among the temporary files, else in memory.
 *
 * A folder that holds the connector's state already wins over every other, so that no start leaves a position behind. That
 * holds also for `./state` when this user may not look into it: the start then fails, and says so.
 */
export function chooseStateFolder({
  named,
  connectorId,
  env = process.env,
}: StateFolderOptions): StateFolder {
  const fallback = { path: defaultStateFolder, isFallback: false }
  if (resolve(named) !== resolve(defaultStateFolder)) return { path: named, isFallback: false }
  const candidates = [
    fallback,
    ...homeFolders(env).map((path) => ({ path, isFallback: true })),
    ...temporaryFolders().map((path) => ({ path, isFallback: true })),
  ]
  return (
    candidates.find(({ path }) => mayHoldState(path, connectorId)) ??
    candidates.find(({ path }) => canBeWritten(path)) ??
    fallback
  )
}

function homeFolders({
  XDG_STATE_HOME: named,
  HOME: home,
}: NonNullable<StateFolderOptions['env']>): string[] {
  if (named !== undefined && isAbsolute(named)) return [join(named, 'opencti-stream-connector')]
  try {
    return [join(home || homedir(), '.local', 'state', 'opencti-stream-connector')]
  } catch {
    // A user whom the machine does not know, as in a container, has no home.
    return []
  }
}

/** Among the files of everybody: only a folder that belongs to this user alone can be trusted. */
function temporaryFolders(): string[] {
  const name = `opencti-stream-connector-${process.getuid?.() ?? 'state'}`
  const places = process.platform === 'linux' ? [tmpdir(), '/dev/shm'] : [tmpdir()]
  return places.map((place) => join(place, name)).filter(isOwnOrFree)
}

function isOwnOrFree(folder: string): boolean {
  try {
    const { uid, mode } = lstatSync(folder)
    const isOurs = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0)
    return isOurs && lstatSync(folder).isDirectory()
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

/** Whether the state is there, or could be as far as this user can see. */
function mayHoldState(folder: string, connectorId: string | undefined): boolean {
  try {
    lstatSync(folder)
  } catch {
    // Whoever may not even see the folder has never kept anything there.
    return false
  }
  try {
    if (connectorId === undefined) return readdirSync(folder).some((name) => name.endsWith('.sqlite'))
    statSync(stateFileOf({ directory: folder, connectorId }))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EACCES' || code === 'EPERM'
  }
}

function canBeWritten(folder: string): boolean {
  try {
    const place = nearestExisting(resolve(folder))
    accessSync(place, constants.W_OK | constants.X_OK)
    return statSync(place).isDirectory()
  } catch {
    return false
  }
}

/** The folder itself, or the nearest above it that is there. */
export function nearestExisting(path: string): string {
  try {
    lstatSync(path)
    return path
  } catch (error) {
    const above = dirname(path)
    if (above === path || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return nearestExisting(above)
  }
}
