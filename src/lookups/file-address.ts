import { PermanentError } from '../errors/steering-errors.ts'
import { withoutEnd } from '../util/without-end.ts'

/** The path below which the platform hands out files (OpenCTI platform, http/httpPlatform.js). */
const storagePath = '/storage/get/'

/** Half of a character, which has no encoding. */
const loneSurrogate = /\p{Surrogate}/u

/** Longer addresses are no files of a platform. */
const maxLength = 4096

/**
 * The address of a file from its `uri`. The platform writes names of files into it as they are, with spaces, `#` and `%`
 * (OpenCTI platform, database/stix-2-1-converter.ts), so each part is encoded here; nothing in it can lead out of the
 * storage.
 *
 * @param platformUrl address of the platform with its base path.
 * @throws PermanentError when it is no file of the platform.
 */
export function fileAddress(platformUrl: string, uri: string): string {
  const base = withoutEnd(platformUrl, '/')
  const path = uri.startsWith(`${base}/`) ? uri.slice(base.length) : uri
  const parts = path.slice(storagePath.length).split('/')
  const isFile =
    uri.length <= maxLength &&
    !loneSurrogate.test(uri) &&
    path.startsWith(storagePath) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..')
  if (!isFile) {
    throw new PermanentError(
      `This is no file of the OpenCTI platform. Give file() one of an entity's files, or its uri, which begins with ${storagePath}.`,
    )
  }
  return `${base}${storagePath}${parts.map(encodeURIComponent).join('/')}`
}
