import { z } from 'zod'
import { readSmallFile } from '../../util/read-small-file.ts'

/**
 * PEM text, or a path to it. Accepts real and `\n`-escaped line breaks. Files are read immediately, so that a
 * missing one is reported along with all other problems and not at the first connection.
 */
export function pemText() {
  return z.string().transform((text, context) => {
    if (text.includes('-----BEGIN ')) return text.replaceAll(String.raw`\n`, '\n')
    try {
      const content = readSmallFile(text.trim())
      if (content.includes('-----BEGIN ')) return content
      context.addIssue({ code: 'custom', message: 'names a file that does not contain PEM text' })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      context.addIssue({
        code: 'custom',
        message: `must be PEM text or a readable file (${code ?? 'unreadable'})`,
      })
    }
    return z.NEVER
  })
}
