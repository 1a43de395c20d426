import { createReadStream } from 'node:fs'

/**
 * The lines of a file, however large it is, without their breaks. Not by `node:readline`, which also breaks lines at
 * characters that JSON leaves as they are (U+2028).
 *
 * @param maxCharacters how long a line may be.
 * @throws Error when a line is longer, or the file cannot be read.
 */
export async function* fileLines(path: string, maxCharacters: number): AsyncGenerator<string, void> {
  let parts: string[] = []
  let characters = 0
  const add = (part: string) => {
    characters += part.length
    if (characters > maxCharacters)
      throw new Error(`${path} has a line of more than ${maxCharacters} characters.`)
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
