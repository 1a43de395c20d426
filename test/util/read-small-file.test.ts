import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSmallFile } from '../../src/util/read-small-file.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

test('reads a file that a setting names whole', async () => {
  const path = join(await temporaryFolder(), 'ca.pem')
  await writeFile(path, 'certificate')
  expect(readSmallFile(path)).toBe('certificate')
})

test('refuses what is endless or too large before it reads it', async () => {
  const folder = await temporaryFolder()
  const large = join(folder, 'large')
  await writeFile(large, Buffer.alloc(4_194_305))
  const codeOf = (path: string) => {
    try {
      return readSmallFile(path).length
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  }
  expect(['/dev/zero', folder, large, join(folder, 'missing')].map(codeOf)).toEqual([
    'NOT_A_FILE',
    'EISDIR',
    'TOO_LARGE',
    'ENOENT',
  ])
})
