import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { type ListItem, writeList } from '../../src/index.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const keys = (...all: string[]) => all.map((key) => ({ key }))
const plain = { format: 'plain' } as const

async function place(name = 'list.txt') {
  const folder = await temporaryFolder()
  return { folder, path: join(folder, name), text: () => readFile(join(folder, name), 'utf8') }
}

test('writes the list, and says what it wrote and what it left out', async () => {
  const { folder, path, text } = await place()
  const file = await writeList(path, keys('a.example', 'b\nc', 'd.example'), plain)
  expect(await text()).toBe('a.example\nd.example\n')
  expect(file).toMatchObject({ count: 2, bytes: 20, changed: true, leftOut: { count: 1 } })
  expect(file.sha256).toBe(
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  )
  expect((await stat(path)).mode & 0o777).toBe(0o644)
  expect(await readdir(folder)).toEqual(['list.txt'])
})

test('does not write an unchanged list: the file keeps its time and its inode', async () => {
  const { folder, path } = await place()
  const first = await writeList(path, keys('a', 'b'), plain)
  await utimes(path, 1000, 1000)
  const before = await stat(path)
  expect(await writeList(path, keys('a', 'b'), plain)).toEqual({ ...first, changed: false })
  expect(await stat(path)).toMatchObject({ mtimeMs: before.mtimeMs, ino: before.ino })
  expect(await writeList(path, keys('a', 'b', 'c'), plain)).toMatchObject({ changed: true, count: 3 })
  expect(await readdir(folder)).toEqual(['list.txt'])
})

test('writes an empty list as an empty file', async () => {
  const { path, text } = await place()
  expect(await writeList(path, [], plain)).toMatchObject({ count: 0, bytes: 0, changed: true })
  expect(await text()).toBe('')
})

test('sets the requested mode, even on an unchanged file', async () => {
  const { path } = await place()
  await writeList(path, keys('a'), { ...plain, mode: 0o600 })
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await chmod(path, 0o666)
  await writeList(path, keys('a'), { ...plain, mode: 0o640 })
  expect((await stat(path)).mode & 0o777).toBe(0o640)
})

test("keeps the file's checksum next to it, even after it was lost", async () => {
  const { folder, path } = await place()
  const { sha256 } = await writeList(path, keys('a'), { ...plain, checksum: true })
  expect(await readFile(`${path}.sha256`, 'utf8')).toBe(`${sha256}  list.txt\n`)
  await rm(`${path}.sha256`)
  await writeList(path, keys('a'), { ...plain, checksum: true })
  expect((await readdir(folder)).toSorted()).toEqual(['list.txt', 'list.txt.sha256'])
})

test('an error in the items leaves the former file and nothing else', async () => {
  const { folder, path, text } = await place()
  await writeList(path, keys('former'), plain)
  function* failing() {
    for (let index = 0; index < 20_000; index++) yield { key: `host-${index}.example` }
    throw new Error('the state cannot be read')
  }
  await expect(writeList(path, failing(), plain)).rejects.toThrow('the state cannot be read')
  expect(await text()).toBe('former\n')
  expect(await readdir(folder)).toEqual(['list.txt'])
})

test('an abort ends it at once, even if no item comes, and leaves the former file', async () => {
  const { folder, path, text } = await place()
  await writeList(path, keys('former'), plain)
  const controller = new AbortController()
  const reason = new Error('the connector stops')
  async function* waiting(): AsyncGenerator<ListItem> {
    for (let index = 0; index < 20_000; index++) yield { key: `host-${index}.example` }
    controller.abort(reason)
    await new Promise(() => {})
  }
  await expect(writeList(path, waiting(), { ...plain, signal: controller.signal })).rejects.toBe(reason)
  expect(await text()).toBe('former\n')
  expect(await readdir(folder)).toEqual(['list.txt'])
  await expect(writeList(path, keys('x'), { ...plain, signal: controller.signal })).rejects.toBe(reason)
})

test('two simultaneous calls each write a whole list', async () => {
  const { folder, path, text } = await place()
  const all = await Promise.all(['a', 'b', 'c'].map((key) => writeList(path, keys(key, key), plain)))
  expect(all.map(({ count }) => count)).toEqual([2, 2, 2])
  expect(await text()).toMatch(/^(\w)\n\1\n$/)
  expect(await readdir(folder)).toEqual(['list.txt'])
})

test('refuses anything but a regular file, and leaves it', async () => {
  const { folder, path } = await place()
  await writeFile(join(folder, 'other'), 'kept')
  await symlink(join(folder, 'other'), path)
  await expect(writeList(path, keys('a'), plain)).rejects.toMatchObject({
    code: 'RETRYABLE',
    message: `The list ${path} cannot be written: it is a symbolic link, which a list does not replace; name the file itself.`,
  })
  expect(await readFile(path, 'utf8')).toBe('kept')
  await mkdir(join(folder, 'sub'))
  await expect(writeList(join(folder, 'sub'), keys('a'), plain)).rejects.toThrow(/not a regular file/)
  await expect(writeList(join(folder, 'none', 'x'), keys('a'), plain)).rejects.toThrow(
    /its folder does not exist/,
  )
  expect((await readdir(folder)).toSorted()).toEqual(['list.txt', 'other', 'sub'])
})

test('removes only what such a write has left', async () => {
  const { folder, path } = await place()
  const leftover = '.list.txt.3f0e6a52-7c7e-4d3a-9d0b-2f4a1c0f9e11.tmp'
  for (const name of [leftover, '.list.txt.mine.tmp', '.other.txt.3f0e6a52-7c7e-4d3a-9d0b-2f4a1c0f9e11.tmp'])
    await writeFile(join(folder, name), '')
  await writeList(path, keys('a'), plain)
  expect(await readdir(folder)).not.toContain(leftover)
  expect(await readdir(folder)).toHaveLength(3)
})

test('the serial of a zone only grows with a change', async () => {
  const { path, text } = await place('rpz.zone')
  const clock = new ManualClock(1_790_000_000_500)
  const options = { format: 'rpz', zone: 'rpz.example', clock } as const
  const serial = async () => Number(/hostmaster\.localhost\. (\d+) /.exec(await text())![1])
  await writeList(path, keys('a.example'), options)
  expect(await serial()).toBe(1_790_000_000)
  await clock.advance(60_000)
  expect(await writeList(path, keys('a.example'), options)).toMatchObject({ changed: false })
  expect(await serial()).toBe(1_790_000_000)
  await writeList(path, keys('b.example'), options)
  expect(await serial()).toBe(1_790_000_060)
  await writeList(path, keys('c.example'), options)
  expect(await serial()).toBe(1_790_000_061)
  await writeList(path, keys('d.example'), { ...options, clock: new ManualClock(5000) })
  expect(await serial()).toBe(1_790_000_062)
})

test('continues after the greatest serial with the first', async () => {
  const { path, text } = await place('rpz.zone')
  const options = { format: 'rpz', zone: 'rpz.example', serial: 2 ** 32 - 1 } as const
  await writeList(path, keys('a.example'), options)
  expect(await text()).toContain(' 4294967295 3600 ')
  await writeList(path, keys('b.example'), options)
  expect(await text()).toContain(' 1 3600 ')
})

const child = fileURLToPath(new URL('write-child.ts', import.meta.url))

test('kill -9 in the middle of a write leaves a whole list, and the next write cleans up', async () => {
  const { folder, path, text } = await place()
  let leftovers = 0
  for (let kill = 0; kill < 4; kill++) {
    const writer = spawn(process.execPath, [child, path, '30000', '1000'])
    onTestFinished(() => void writer.kill('SIGKILL'))
    const ended = once(writer, 'close')
    await once(writer.stdout, 'data')
    while (!(await readdir(folder)).some((name) => name.endsWith('.tmp'))) continue
    writer.kill('SIGKILL')
    await ended
    const lines = (await text()).split('\n')
    expect(lines).toHaveLength(30_003)
    expect([lines[0], lines.at(-2)]).toEqual(['# beginning', 'end'])
    leftovers += (await readdir(folder)).length - 1
  }
  expect(leftovers).toBeGreaterThan(0)
  await writeList(path, keys('a'), plain)
  expect(await readdir(folder)).toEqual(['list.txt'])
}, 60_000)

test('a full disk leaves the former file', async () => {
  const { folder, path, text } = await place()
  await writeList(path, keys('former'), plain)
  const script = `ulimit -f 64; exec "$0" "$@"`
  const writer = spawn('sh', ['-c', script, process.execPath, child, path, '30000', '1'])
  let told = ''
  writer.stderr.on('data', (data: Buffer) => (told += data.toString()))
  await once(writer, 'close')
  expect(told).toContain('cannot be written: it exceeds the maximum file size')
  expect(await text()).toBe('former\n')
  expect(await readdir(folder)).toEqual(['list.txt'])
}, 30_000)

test('half a million items pass through a heap that could not hold them', async () => {
  const { path } = await place()
  const writer = spawn(process.execPath, ['--max-old-space-size=20', child, path, '500000', '1'])
  const [code] = (await once(writer, 'close')) as [number]
  expect(code).toBe(0)
  expect((await stat(path)).size).toBeGreaterThan(13_000_000)
}, 60_000)
