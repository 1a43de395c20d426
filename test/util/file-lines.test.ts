import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { fileLines } from '../../src/util/file-lines.ts'

async function linesOf(content: string, maxCharacters = 2_000_000): Promise<string[]> {
  const file = join(await temporaryFolder(), 'lines')
  await writeFile(file, content)
  const lines: string[] = []
  for await (const line of fileLines(file, maxCharacters)) lines.push(line)
  return lines
}

test('breaks at line feeds alone, and keeps empty lines', async () => {
  expect(await linesOf('')).toEqual([])
  expect(await linesOf('a\n\nb')).toEqual(['a', '', 'b'])
  expect(await linesOf('a\u2028b\n')).toEqual(['a\u2028b'])
})

test('joins what is spread over several chunks, even within a character', async () => {
  const long = '€'.repeat(1_200_000)
  expect(await linesOf(`first\n${long}\nlast\n`)).toEqual(['first', long, 'last'])
})

test('accepts a line of the maximum length and refuses a longer one, wherever it is', async () => {
  expect(await linesOf('abc\ndef\n', 3)).toEqual(['abc', 'def'])
  await expect(linesOf('abc\ndefg\nh', 3)).rejects.toThrow('has a line longer than 3 characters')
  await expect(linesOf('abc\ndefg', 3)).rejects.toThrow('has a line longer than 3 characters')
})
