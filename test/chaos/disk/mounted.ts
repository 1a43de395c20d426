import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const run = (command: string, ...parameters: string[]) =>
  execFileSync(command, parameters, { stdio: 'pipe', encoding: 'utf8' })

/** Creates and removes a disk of some kind. */
interface Kind {
  readonly mount: (folder: string, image: string) => void
}

const kinds = {
  /** Four megabytes in memory. */
  tmpfs: { mount: (folder) => run('mount', '-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', folder) },
  /** A real file system in a file, on a block device: it can be frozen, and becomes read-only after an internal error. */
  ext4: {
    mount: (folder, image) => {
      closeSync(openSync(image, 'w'))
      truncateSync(image, 16 << 20)
      run('mkfs.ext4', '-q', image)
      run('mount', '-o', 'loop,errors=remount-ro', image, folder)
    },
  },
} satisfies Record<string, Kind>

/** Mounts a separate disk for a test, and removes it afterwards. */
export async function mountedDisk(kind: keyof typeof kinds): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'opencti-disk-'))
  const folder = join(place, 'disk')
  run('mkdir', folder)
  kinds[kind].mount(folder, join(place, 'image'))
  onTestFinished(async () => {
    run('umount', '--lazy', folder)
    await rm(place, { recursive: true, force: true })
  })
  return folder
}

/** Why no disk of this kind can be mounted here; undefined when one can. Where `CI` is set and the tests run as root, memory can. */
export function mountProblem(kind: keyof typeof kinds): string | undefined {
  if (process.platform !== 'linux') return 'skipped: disks are mounted on Linux only'
  if (process.getuid?.() !== 0) return 'skipped: mounting needs root'
  const place = run('mktemp', '-d').trim()
  const folder = join(place, 'disk')
  try {
    run('mkdir', folder)
    kinds[kind].mount(folder, join(place, 'image'))
    run('umount', folder)
    return undefined
  } catch (error) {
    if (kind === 'tmpfs' && process.env['CI'] === 'true') throw error
    return 'skipped: mounting is not allowed here, run the container with --privileged'
  } finally {
    rmSync(place, { recursive: true })
  }
}

/** Fills all free space of a disk. */
export function fill(folder: string): void {
  const file = openSync(ballastOf(folder), 'w')
  try {
    for (let size = 1 << 16; size > 0;) {
      try {
        if (writeSync(file, Buffer.alloc(size)) < size) size >>= 1
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ENOSPC') throw error
        size >>= 1
      }
    }
  } finally {
    closeSync(file)
  }
}

/** Frees the space that {@link fill} used. */
export function empty(folder: string): void {
  rmSync(ballastOf(folder))
}

/** Blocks all writes to the disk until it is thawed. */
export function freeze(folder: string): () => void {
  run('fsfreeze', '--freeze', folder)
  let isFrozen = true
  const thaw = () => {
    if (isFrozen) run('fsfreeze', '--unfreeze', folder)
    isFrozen = false
  }
  onTestFinished(thaw)
  return thaw
}

/** Causes an internal error of the file system, after which it refuses writes, even to open files. */
export function breakDisk(folder: string): void {
  const device = run('findmnt', '--noheadings', '--output', 'SOURCE', folder).trim()
  run('sh', '-c', `echo test > /sys/fs/ext4/${device.replace('/dev/', '')}/trigger_fs_error`)
}

const ballastOf = (folder: string) => join(folder, 'ballast')
