import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const run = (command: string, ...parameters: string[]) =>
  execFileSync(command, parameters, { stdio: 'pipe', encoding: 'utf8' })

/** What makes a disk of some kind, and takes it away. */
interface Kind {
  readonly mount: (folder: string, image: string) => void
}

const kinds = {
  /** In memory, of four megabytes. */
  tmpfs: { mount: (folder) => run('mount', '-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', folder) },
  /** A real file system in a file, on a block device: it can be frozen, and turns read-only over an error of its own. */
  ext4: {
    mount: (folder, image) => {
      closeSync(openSync(image, 'w'))
      truncateSync(image, 16 << 20)
      run('mkfs.ext4', '-q', image)
      run('mount', '-o', 'loop,errors=remount-ro', image, folder)
    },
  },
} satisfies Record<string, Kind>

/** Mounts a disk of its own for a test, and takes it away after it. */
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

/** Takes all room that a disk has left. */
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

/** Gives back what {@link fill} took. */
export function empty(folder: string): void {
  rmSync(ballastOf(folder))
}

/** Makes the disk answer nothing that writes, until it is thawed. */
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

/** Lets the file system meet an error of its own, after which it takes no more writes, also from those who have files open. */
export function breakDisk(folder: string): void {
  const device = run('findmnt', '--noheadings', '--output', 'SOURCE', folder).trim()
  run('sh', '-c', `echo test > /sys/fs/ext4/${device.replace('/dev/', '')}/trigger_fs_error`)
}

const ballastOf = (folder: string) => join(folder, 'ballast')
