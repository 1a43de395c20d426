import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { connectorId, stateDirectory } from '../../fixtures/state-directory.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'

/** A machine where new files are readable by everyone by default. */
function withLooseUmask(): void {
  const umask = process.umask(0)
  onTestFinished(() => void process.umask(umask))
}

test("a link in place of the state to somebody else's file is refused, and that file stays unchanged", async () => {
  const { file, make } = stateDirectory()
  const foreign = join(await temporaryFolder(), 'precious.txt')
  writeFileSync(foreign, 'precious '.repeat(1000))
  symlinkSync(foreign, file)
  await expect(make().open(connectorId)).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
  expect(readFileSync(foreign, 'utf8')).toBe('precious '.repeat(1000))
})

test.each(['', '.lock'])(
  'a link to nothing in place of the state%s creates no file that others can read',
  async (kind) => {
    withLooseUmask()
    const { file, make } = stateDirectory()
    const elsewhere = join(await temporaryFolder(), 'elsewhere')
    symlinkSync(elsewhere, kind === '' ? file : file.replace('.sqlite', kind))
    const store = make()
    await store.open(connectorId).catch(() => undefined)
    if (existsSync(elsewhere)) expect((statSync(elsewhere).mode & 0o777).toString(8)).toBe('600')
  },
)

test('a state folder that is a link keeps its files private to their owner', async () => {
  withLooseUmask()
  const real = await temporaryFolder()
  const { directory, make } = stateDirectory()
  const link = join(directory, 'link')
  symlinkSync(real, link)
  const store = make({ directory: link })
  await store.open(connectorId)
  expect((statSync(join(real, `${connectorId}.sqlite`)).mode & 0o777).toString(8)).toBe('600')
})
