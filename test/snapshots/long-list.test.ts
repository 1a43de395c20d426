import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const claims = Number(process.env['LIST_CLAIMS'] ?? 200_000)

test('a list of any length goes through a small heap, sorted', async () => {
  const child = fileURLToPath(new URL('./long-list-child.ts', import.meta.url))
  const folder = await temporaryFolder()
  const options = [
    '--max-old-space-size=24',
    '--disable-warning=ExperimentalWarning',
    child,
    folder,
    String(claims),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, options)
  expect(JSON.parse(stdout)).toEqual({ count: claims / 2, isSorted: true })
}, 600_000)
