import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { filePieces } from './file-pieces.ts'
import { type ListOptions } from './list-options.ts'
import { readOnlyFlags } from './replacement-file.ts'

const validName = /^[a-z0-9][a-z0-9._-]{0,127}$/i

const contentTypes: Readonly<Record<ListOptions['format'], string>> = {
  plain: 'text/plain; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  'json-lines': 'application/x-ndjson',
  hosts: 'text/plain; charset=utf-8',
  rpz: 'text/dns; charset=utf-8',
}

/** A list file to serve. */
export interface PublishedFile {
  readonly path: string
  readonly format: ListOptions['format']
}

/** One version of a list, in a file that stays open and therefore unchanged, whatever replaces it. */
export interface ServedVersion {
  readonly contentType: string
  readonly bytes: number
  /** SHA-256 of the content. */
  readonly sha256: string
  readonly modifiedMs: number
  /** Its content, from disk. Undefined if it was closed in the meantime. End or destroy the stream. */
  read(): Readable | undefined
}

/**
 * The lists that the connector serves under `/lists/<name>`. All names are known from the start. Until a list
 * is first {@link ServedLists.publish | published}, clients are asked to retry, so that nobody takes an
 * incomplete list for an empty one.
 *
 * @example
 * ```ts
 * import { type ListItem, ServedLists, writeList } from 'opencti-stream-connector'
 *
 * const lists = new ServedLists(['domains'])
 *
 * async function replaceDomains(items: AsyncIterable<ListItem>): Promise<void> {
 *   const path = '/var/lib/connector/domains.txt'
 *   await writeList(path, items, { format: 'plain' })
 *   await lists.publish('domains', { path, format: 'plain' })
 * }
 * ```
 */
export class ServedLists {
  readonly #versions = new Map<string, OpenVersion | undefined>()
  #isClosed = false

  /** @throws TypeError for a name with anything but letters, digits, `.`, `_`, and `-`. */
  constructor(names: readonly string[]) {
    for (const name of names) {
      if (!validName.test(name))
        throw new TypeError('the name of a served list may only contain letters, digits, ".", "_", and "-"')
      this.#versions.set(name, undefined)
    }
  }

  has(name: string): boolean {
    return this.#versions.has(name)
  }

  /** The current version; undefined before the first. */
  version(name: string): ServedVersion | undefined {
    return this.#versions.get(name)
  }

  /**
   * Serves the file's current content until the next call, including a file from an earlier run. Replace the
   * file, as `writeList` does; do not write into it.
   *
   * @throws TypeError for an unknown name; Error with a `code` if the file cannot be read.
   */
  async publish(name: string, { path, format }: PublishedFile): Promise<void> {
    if (!this.has(name)) throw new TypeError(`no list named ${name} is served`)
    const file = await open(path, readOnlyFlags)
    let version: OpenVersion
    try {
      version = await OpenVersion.of(file, contentTypes[format])
    } catch (error) {
      await file.close()
      throw error
    }
    const former = this.#versions.get(name)
    if (this.#isClosed) return version.retire()
    this.#versions.set(name, version)
    await former?.retire()
  }

  /** Closes the files. Running reads continue to the end. */
  async close(): Promise<void> {
    this.#isClosed = true
    const versions = [...this.#versions.values()]
    for (const name of this.#versions.keys()) this.#versions.set(name, undefined)
    await Promise.all(versions.map((version) => version?.retire()))
  }
}

class OpenVersion implements ServedVersion {
  readonly contentType: string
  readonly bytes: number
  readonly sha256: string
  readonly modifiedMs: number
  readonly #file: FileHandle
  #readers = 0
  #isRetired = false

  static async of(file: FileHandle, contentType: string): Promise<OpenVersion> {
    const stats = await file.stat()
    if (!stats.isFile())
      throw Object.assign(new Error('the list to serve is not a regular file'), { code: 'NOT_A_FILE' })
    const sum = createHash('sha256')
    for await (const piece of filePieces(file, stats.size)) sum.update(piece)
    return new OpenVersion(file, {
      contentType,
      bytes: stats.size,
      sha256: sum.digest('hex'),
      modifiedMs: stats.mtimeMs,
    })
  }

  constructor(file: FileHandle, facts: Omit<ServedVersion, 'read'>) {
    this.#file = file
    this.contentType = facts.contentType
    this.bytes = facts.bytes
    this.sha256 = facts.sha256
    this.modifiedMs = facts.modifiedMs
  }

  read(): Readable | undefined {
    if (this.#isRetired) return undefined
    this.#readers += 1
    const stream = Readable.from(filePieces(this.#file, this.bytes), { objectMode: false })
    stream.once('close', () => {
      this.#readers -= 1
      if (this.#isRetired && this.#readers === 0) void this.#file.close()
    })
    return stream
  }

  /** Accepts no more readers; the file closes after the last. */
  async retire(): Promise<void> {
    if (this.#isRetired) return
    this.#isRetired = true
    if (this.#readers === 0) await this.#file.close()
  }
}
