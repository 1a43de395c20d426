import { accessSync, constants, lstatSync, readdirSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { stateFileOf } from './state-file.ts'

/** Default state folder. */
export const defaultStateFolder = './state'

/** Where to keep the state. */
export interface StateFolder {
  readonly path: string
  /** Whether it replaces {@link defaultStateFolder}, which is not writable here. */
  readonly isFallback: boolean
}

/** Options for {@link chooseStateFolder}. */
export interface StateFolderOptions {
  /** The setting; `./state` means that none was chosen. */
  readonly named: string
  /** Whose state it is. Omit to accept any. */
  readonly connectorId?: string | undefined
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * Chooses the state folder: the configured one, or else `./state`. If this user may not write to that, as in
 * an image built by someone else: the user's state folder (XDG_STATE_HOME), or else one in the temporary
 * folder, or else in memory.
 *
 * A folder that already has the connector's state takes precedence, so that no start leaves a position
 * behind. That includes a `./state` this user may not open; startup then fails and says so.
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
    // A user unknown to the machine, as in a container, has no home.
    return []
  }
}

/** In shared locations, trust only a folder that belongs to this user alone. */
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

/** Whether the state is there, or may be as far as this user can see. */
function mayHoldState(folder: string, connectorId: string | undefined): boolean {
  try {
    lstatSync(folder)
  } catch {
    // A user who cannot even see the folder has never stored anything there.
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

/** The folder itself, or its nearest existing ancestor. */
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
