import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { MisbehavingServer } from './misbehaving-server.ts'

const child = join(import.meta.dirname, 'children/small-heap.ts')

test('a frame that the heap cannot hold is replaced in its place and does not end the process', async () => {
  const server = await MisbehavingServer.start()
  onTestFinished(() => server.stop())
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-old-space-size=128',
    child,
    `${server.origin}/larger-than-heap`,
  ])
  const [first, large, last] = JSON.parse(stdout) as { id: string; bytes: number; truncated?: boolean }[]
  expect(first).toMatchObject({ id: '1-0' })
  expect(large).toMatchObject({ id: '2-0', truncated: true })
  expect(large!.bytes).toBeGreaterThan(125_000_000)
  expect(last).toMatchObject({ id: '3-0' })
  expect(last!.truncated).toBeUndefined()
}, 60_000)
