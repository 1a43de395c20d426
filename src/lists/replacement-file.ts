import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** The temporary files this process is writing; any other file with such a name is left over. */
const underWay = new Set<string>()

/**
 * A file that replaces another atomically: written in the same folder under another name, made durable, then renamed.
 * Readers that have the old file open continue to read that. Only its user may read it before it is complete.
 */
export class ReplacementFile {
  readonly #path: string
  readonly #temporaryPath: string
  readonly #file: FileHandle
  #isOpen = true

  /** Also removes files that a killed process left in the folder. */
  static async create(path: string): Promise<ReplacementFile> {
    await refuseOtherThanFile(path)
    await removeLeftovers(path)
    const temporaryPath = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
    underWay.add(temporaryPath)
    try {
      return new ReplacementFile(path, temporaryPath, await open(temporaryPath, 'wx', 0o600))
    } catch (error) {
      underWay.delete(temporaryPath)
      throw error
    }
  }

  constructor(path: string, temporaryPath: string, file: FileHandle) {
    this.#path = path
    this.#temporaryPath = temporaryPath
    this.#file = file
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#file.appendFile(bytes)
  }

  /** Makes it durable with this mode, and puts it in place unless `signal` is aborted by then. */
  async putInPlace(mode: number, signal?: AbortSignal): Promise<void> {
    await this.#file.chmod(mode)
    await this.#file.sync()
    await this.#close()
    signal?.throwIfAborted()
    await refuseOtherThanFile(this.#path)
    await rename(this.#temporaryPath, this.#path)
    underWay.delete(this.#temporaryPath)
    await syncFolder(dirname(this.#path))
  }

  /** Removes it if it is not in place. Always safe to call. */
  async discard(): Promise<void> {
    await this.#close()
    if (underWay.has(this.#temporaryPath)) await unlinkIfThere(this.#temporaryPath)
    underWay.delete(this.#temporaryPath)
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#file.close()
  }
}

/** Flags for reading a regular file but not a link; a pipe would wait for a writer. */
export const readOnlyFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/**
 * A link would be replaced itself rather than its target; a device or folder cannot be replaced.
 *
 * @throws Error with the code `NOT_A_FILE`.
 */
async function refuseOtherThanFile(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  if (stats !== undefined && !stats.isFile())
    throw Object.assign(new Error(`${path} is not a regular file`), { code: 'NOT_A_FILE' })
}

async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path)
  const [start, end] = [`.${basename(path)}.`, '.tmp']
  for (const name of await readdir(folder)) {
    if (!name.startsWith(start) || !name.endsWith(end)) continue
    if (!uuid.test(name.slice(start.length, -end.length)) || underWay.has(join(folder, name))) continue
    await unlinkIfThere(join(folder, name))
  }
}

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

/** The new name is only durable once its folder is. Windows cannot open folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
