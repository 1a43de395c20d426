import { openForOwner } from './open-for-owner.ts'

/**
 * Writes lines to a file for its owner alone, over what it held, and makes them durable.
 *
 * @returns how many there were.
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
