import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { simulatedFolderPrefix, stateFolderNote } from '../../src/store/state-folder-note.ts'
import { chosenAs } from './children/chosen-as.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const isRoot = process.getuid?.() === 0
const connectorId = 'a-connector'
const anybody = 65534

/** A working directory of root that anybody may enter, and a home of the user. */
async function places() {
  const folder = await temporaryFolder()
  const [cwd, home] = [join(folder, 'app'), join(folder, 'home')]
  await mkdir(cwd)
  await mkdir(home)
  for (const path of [folder, cwd, home]) await chmod(path, 0o755)
  return { cwd, home }
}

async function stateIn(folder: string, owner: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(join(folder, `${connectorId}.sqlite`), '', { mode: 0o600 })
  await chown(folder, owner, owner)
}

test('is the named folder, whoever may write there', async () => {
  const { cwd, home } = await places()
  const chosen = await chosenAs({ uid: process.getuid?.(), cwd, home, named: '/data', connectorId })
  expect(chosen).toEqual({ path: '/data', isFallback: false })
})

test('is ./state if that can be created', async () => {
  const { cwd, home } = await places()
  const chosen = await chosenAs({ uid: process.getuid?.(), cwd, home, named: './state', connectorId })
  expect(chosen).toEqual({ path: './state', isFallback: false })
})

// Only root can become somebody else; in CI the tests run as root.
describe.skipIf(!isRoot)(
  'for a user without rights in the working directory (needs root to become that user)',
  () => {
    const as = (given: { cwd: string; home: string }) =>
      chosenAs({ ...given, uid: anybody, named: './state', connectorId })

    test("is in the user's home if that is writable, else among the temporary files", async () => {
      const { cwd, home } = await places()
      expect(await as({ cwd, home })).toEqual({
        path: expect.stringContaining(`opencti-stream-connector-${anybody}`) as string,
        isFallback: true,
      })
      await chown(home, anybody, anybody)
      expect(await as({ cwd, home })).toEqual({
        path: join(home, '.local/state/opencti-stream-connector'),
        isFallback: true,
      })
    })

    test('never leaves a state behind: neither one in ./state that it cannot write or see, nor one elsewhere', async () => {
      const { cwd, home } = await places()
      await stateIn(join(cwd, 'state'), 0)
      expect(await as({ cwd, home })).toEqual({ path: './state', isFallback: false })
      await chmod(join(cwd, 'state'), 0o755)
      expect(await as({ cwd, home })).toEqual({ path: './state', isFallback: false })

      const other = await places()
      await stateIn(join(other.home, '.local/state/opencti-stream-connector'), anybody)
      await chmod(join(other.home, '.local/state'), 0o755)
      await chmod(join(other.home, '.local'), 0o755)
      await chown(other.cwd, anybody, anybody)
      expect(await as(other)).toMatchObject({ isFallback: true })
    })

    test("ignores somebody else's ./state without anything of this connector", async () => {
      const { cwd, home } = await places()
      await mkdir(join(cwd, 'state'), { mode: 0o755 })
      expect(await as({ cwd, home })).toMatchObject({ isFallback: true })
    })

    test('is never a folder among the temporary files that somebody else created', async () => {
      const { cwd, home } = await places()
      const temporary = join(home, 'tmp')
      await mkdir(temporary)
      await chmod(temporary, 0o1777)
      const trap = join(temporary, `opencti-stream-connector-${anybody}`)
      await stateIn(trap, 1234)
      await chmod(trap, 0o777)
      const chosen = await chosenAs({ uid: anybody, cwd, home, named: './state', connectorId, temporary })
      expect(chosen.path).not.toContain(temporary)
    })
  },
)

const within = (mounts: string) => ({ mounts, isContainer: false })

const root = '27 1 0:50 / / rw - overlay overlay rw,lowerdir=/a'

test.each([
  ['the container', root, /deleted with it/],
  ['memory', `${root}\n28 27 0:51 / /app/state rw - tmpfs tmpfs rw`, /is in memory/],
  [
    'a pod',
    `${root}\n28 27 8:1 /pods/1/volumes/kubernetes.io~empty-dir/state /app rw - ext4 /dev/sda rw`,
    /emptyDir/,
  ],
  [
    'an unnamed volume',
    `${root}\n28 27 8:1 /docker/volumes/${'ab'.repeat(32)}/_data /app/state rw shared:1 - ext4 /dev/sda rw`,
    /unnamed/,
  ],
])('reports in one line that the state is in %s, and what can be lost', (_name, mounts, words) => {
  const note = stateFolderNote({ path: '/app/state', isFallback: false }, within(mounts))
  expect(note).toMatchObject({ isGrave: true, message: expect.stringMatching(words) as string })
  expect(note!.message).toMatch(/dead letters and the id map are lost/)
  expect(note!.message).not.toContain('\n')
})

test('reports a temporary folder, as serious only if it was not configured', () => {
  expect(stateFolderNote({ path: '/tmp/a', isFallback: false }, within(root))).toMatchObject({
    isGrave: false,
  })
  expect(stateFolderNote({ path: '/tmp/a', isFallback: true }, within(root))).toMatchObject({
    isGrave: true,
    message: expect.stringContaining('/tmp/a, because ./state is not writable') as string,
  })
})

test('does not report the folder that simulate makes, because its platform is gone as well', () => {
  const path = join(tmpdir(), `${simulatedFolderPrefix}abc`)
  expect(stateFolderNote({ path, isFallback: false }, within(root))).toBeUndefined()
})

test('does not report a volume or a disk', () => {
  const disk = '27 1 254:0 / / rw - ext4 /dev/vda rw'
  const volume = String.raw`28 27 8:1 /docker/volumes/my-siem/_data /my\040app/state rw - ext4 /dev/sda rw`
  expect(stateFolderNote({ path: '/opt/state', isFallback: false }, within(disk))).toBeUndefined()
  expect(
    stateFolderNote({ path: '/my app/state', isFallback: false }, within(`${root}\n${volume}`)),
  ).toBeUndefined()
  const inContainer = { mounts: disk, isContainer: true }
  expect(stateFolderNote({ path: '/opt/state', isFallback: false }, inContainer)).toBeDefined()
  expect(stateFolderNote({ path: '/opt/state', isFallback: false }, within('no line of it'))).toBeUndefined()
})
