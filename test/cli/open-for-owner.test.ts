import { execFileSync } from 'node:child_process'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openForOwner } from '../../src/cli/open-for-owner.ts'
import { RecordingFile } from '../../src/cli/recording-file.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const rightsOf = async (path: string) => (await stat(path)).mode & 0o777

test.each(['new', 'old'])('makes a file that is %s private to its owner', async (name) => {
  const path = join(await temporaryFolder(), name)
  if (name === 'old') await writeFile(path, 'for all', { mode: 0o644 })
  const file = await openForOwner(path, 'a+')
  expect(await rightsOf(path)).toBe(0o600)
  await file.close()
})

// As /dev/null would: nobody else could write to it any more.
test.skipIf(process.platform === 'win32')('leaves the mode of anything but a file unchanged', async () => {
  const path = join(await temporaryFolder(), 'pipe')
  execFileSync('mkfifo', ['-m', '644', path])
  const file = await RecordingFile.open(path)
  expect(await rightsOf(path)).toBe(0o644)
  await file.close().catch(() => {})
})
