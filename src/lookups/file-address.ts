import { PermanentError } from '../errors/steering-errors.ts'
import { withoutEnd } from '../util/without-end.ts'

/** Path under which the platform serves files (OpenCTI platform, http/httpPlatform.js). */
const storagePath = '/storage/get/'

/** An unpaired surrogate, which has no encoding. */
const loneSurrogate = /\p{Surrogate}/u

/** Longer URIs are not platform files. */
const maxLength = 4096

/**
 * Builds a file's URL from its `uri`. The platform inserts file names unencoded, with spaces, `#`, and `%`
 * (OpenCTI platform, database/stix-2-1-converter.ts), so this encodes each part; no part can escape the
 * storage path.
 *
 * @param platformUrl base URL of the platform.
 * @throws PermanentError if it is not a platform file.
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
      `This is not a file of the OpenCTI platform. Pass file() one of an entity's files, or its uri, which starts with ${storagePath}.`,
    )
  }
  return `${base}${storagePath}${parts.map(encodeURIComponent).join('/')}`
}
