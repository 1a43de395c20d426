import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { nearestExisting, type StateFolder } from './state-folder.ts'

/** Beginning of the names of the folders in the folder for temporary files that `simulate` makes for a connector, and removes. */
export const simulatedFolderPrefix = 'opencti-simulate-'

/** A warning about the state folder. */
export interface StateFolderNote {
  /** One line: what is the case, what it can lose, and what to do. */
  readonly message: string
  /** Whether it can lose something that no one chose to put at risk. */
  readonly isGrave: boolean
}

/** The environment of a process. */
interface Surroundings {
  /** File systems according to Linux (proc(5), mountinfo). Undefined elsewhere. */
  readonly mounts: string | undefined
  readonly isContainer: boolean
}

/** Files created by Docker and Podman. */
const containerMarks = ['/.dockerenv', '/run/.containerenv']

/**
 * Warns about a state folder that looks as if it disappears with its container, on reboot, or on cleanup of
 * temporary files, or that replaces another one. `undefined` if there is nothing to report, or if it is that of a
 * simulated platform, which disappears as well.
 *
 * @param surroundings defaults to those of this process.
 */
export function stateFolderNote(
  { path, isFallback }: StateFolder,
  surroundings: Surroundings = {
    mounts: readMounts(),
    isContainer: containerMarks.some((file) => existsSync(file)),
  },
): StateFolderNote | undefined {
  let place: string
  try {
    const there = nearestExisting(resolve(path))
    place = join(realpathSync(there), relative(there, resolve(path)))
  } catch {
    // Startup fails and explains why.
    return undefined
  }
  if (place.startsWith(join(realOf(tmpdir()), simulatedFolderPrefix))) return undefined
  const isTemporary = [tmpdir(), '/tmp', '/var/tmp'].some((folder) => isWithin(place, realOf(folder)))
  const why = isTemporary ? 'is temporary' : whyPassing(place, surroundings)
  const name = isFallback ? `The state folder (${path}, because ./state is not writable)` : 'The state folder'
  if (why === undefined) {
    return isFallback ? { message: `${name} is not the usual one`, isGrave: false } : undefined
  }
  return {
    message: `${name} ${why}: the dead letters and the id map are lost with it, and the platform only keeps the position. Mount a volume there, or set CONNECTOR_STATE_DIR to one`,
    isGrave: isFallback || !isTemporary,
  }
}

function whyPassing(place: string, { mounts, isContainer }: Surroundings): string | undefined {
  const mount = mounts === undefined ? undefined : mountOf(place, mounts)
  if (mount === undefined) return undefined
  if (/^(?:tmpfs|ramfs)$/.test(mount.type)) return `is in memory (${mount.type})`
  if (mount.root.includes('/kubernetes.io~empty-dir/')) return 'is an emptyDir that is deleted with its pod'
  if (/\/volumes\/[0-9a-f]{64}\/_data/.test(mount.root)) {
    return 'is an unnamed volume, and every new container gets another one'
  }
  const isLayer = isContainer || /overlay|aufs/.test(mount.type)
  return mount.point === '/' && isLayer ? 'is inside the container and is deleted with it' : undefined
}

interface Mount {
  readonly root: string
  readonly point: string
  readonly type: string
}

/** The innermost mount that contains `place`; the last one if several share a mount point. */
function mountOf(place: string, mounts: string): Mount | undefined {
  let found: Mount | undefined
  for (const line of mounts.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, point] = before.split(' ').map(unescaped)
    const [type] = after.split(' ')
    if (root === undefined || point === undefined || !type || !isWithin(place, point)) continue
    if (found === undefined || point.length >= found.point.length) found = { root, point, type }
  }
  return found
}

/** A space in a path is written as `\040`. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)))

const isWithin = (path: string, folder: string) =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)

function realOf(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}

function readMounts(): string | undefined {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return undefined
  }
}
