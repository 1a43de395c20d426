import { createReadStream } from 'node:fs'

/**
 * Reads a file's lines, without line breaks, regardless of its size. `node:readline` also breaks lines at
 * characters that JSON leaves as is (U+2028).
 *
 * @param maxCharacters maximum length of a line.
 * @throws Error if a line is longer, or the file cannot be read.
 */
export async function* fileLines(path: string, maxCharacters: number): AsyncGenerator<string, void> {
  let parts: string[] = []
  let characters = 0
  const add = (part: string) => {
    characters += part.length
    if (characters > maxCharacters)
      throw new Error(`${path} has a line longer than ${maxCharacters} characters.`)
    parts.push(part)
  }
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1_048_576 })) {
    const [first, ...others] = (chunk as string).split('\n')
    add(first!)
    for (const other of others) {
      yield parts.join('')
      parts = []
      characters = 0
      add(other)
    }
  }
  if (characters > 0) yield parts.join('')
}
