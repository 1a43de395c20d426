import { openForOwner } from './open-for-owner.ts'

/**
 * Writes lines to a file, replacing its contents, readable by its owner only, and makes them durable.
 *
 * @returns the number of lines.
 */
export async function writeLines(path: string, lines: AsyncIterable<string>): Promise<number> {
  const file = await openForOwner(path, 'w')
  let count = 0
  try {
    for await (const line of lines) {
      await file.write(`${line}\n`)
      count++
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return count
}
