import { SettingsError } from '../../errors/settings-error.ts'
import { readSmallFile } from '../../util/read-small-file.ts'

/**
 * Reads a file without its byte order mark; `undefined` if it does not exist.
 *
 * @throws SettingsError if it exists but cannot be read.
 */
export function textFileOf(path: string): string | undefined {
  try {
    return readSmallFile(path).replace(/^\uFEFF/, '')
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new SettingsError([
      {
        message: `is in ${path}, which cannot be read (${code})`,
        remedy: 'Make it readable for the connector’s user, or remove it.',
      },
    ])
  }
}
