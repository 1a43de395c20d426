import { openCtiTypeOf } from './entity-types.ts'
import { openCtiPropertiesOf, type StixObject } from './stix-object.ts'

/** A file to attach to an object. */
export interface FileInput {
  /** File name; any characters. */
  readonly name: string
  readonly content: Uint8Array | string
  /**
   * MIME type.
   * @default 'application/octet-stream'
   */
  readonly mimeType?: string | undefined
}

/** An object's entry for an attached file. */
export interface FileEntry {
  readonly name: string
  /** Where it is: `/storage/get/…`, with the unencoded name. */
  readonly uri: string
  readonly version: string
  readonly mime_type: string
}

/** A stored file. */
export interface StoredFile {
  readonly content: Uint8Array
  /** OpenCTI id of the object it is attached to. Whoever may read the object may read the file. */
  readonly ownerId: string
}

/** The platform's files, by the path after `/storage/get/`. */
export class FileStorage {
  readonly #files = new Map<string, StoredFile>()

  /** Stores a file; replaces one with the same name. */
  put(owner: StixObject, { name, content, mimeType }: FileInput, nowMs: number): FileEntry {
    const { id } = openCtiPropertiesOf(owner)
    const path = `import/${openCtiTypeOf(owner)}/${id}/${name}`
    this.#files.set(path, { content: Buffer.from(content), ownerId: id })
    return {
      name,
      uri: `/storage/get/${path}`,
      version: new Date(nowMs).toISOString(),
      mime_type: mimeType ?? 'application/octet-stream',
    }
  }

  find(path: string): StoredFile | undefined {
    return this.#files.get(path)
  }
}
