import { openCtiTypeOf } from './entity-types.ts'
import { openCtiPropertiesOf, type StixObject } from './stix-object.ts'

/** A file to hang on an object. */
export interface FileInput {
  /** Its name, with whatever characters it has. */
  readonly name: string
  readonly content: Uint8Array | string
  /** Default: `application/octet-stream`. */
  readonly mimeType?: string | undefined
}

/** What an object says of a file that hangs on it. */
export interface FileEntry {
  readonly name: string
  /** Where it is: `/storage/get/…`, with the name as it is. */
  readonly uri: string
  readonly version: string
  readonly mime_type: string
}

/** A file of the platform. */
export interface StoredFile {
  readonly content: Uint8Array
  /** The internal id of the object that it hangs on: who may read that may read the file. */
  readonly ownerId: string
}

/** The files of the platform, by the name that follows `/storage/get/`. */
export class FileStorage {
  readonly #files = new Map<string, StoredFile>()

  /** Stores a file over an older one of the same name. */
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
