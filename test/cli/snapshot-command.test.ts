import { expect, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { linesOf, runCli } from '../fixtures/run-cli.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

const record = (count: number, isDirty: boolean) =>
  JSON.stringify({ isDirty, count, sha256: 'a', takenAtMs: Date.parse('2026-11-26T10:00:00Z') })

test('shows each list that the target has, and allows the next one to be short, while the connector runs', async () => {
  const folder = await temporaryFolder()
  const store = new SqliteStore({ directory: folder, connectorId })
  await store.open(connectorId)
  const values = new Map([
    ['snapshot', record(40, true)],
    ['snapshot:secure', record(2, false)],
  ])
  await store.commit({ values })
  const where = ['--state-dir', folder]
  const shown = await runCli(['snapshot', 'show', ...where])
  expect(linesOf(shown.out)).toEqual([
    '40 items, taken 2026-11-26T10:00:00Z. Changed since',
    'secure: 2 items, taken 2026-11-26T10:00:00Z. Up to date',
  ])
  const asJson = await runCli(['snapshot', 'show', '--json', ...where])
  expect(JSON.parse(linesOf(asJson.out)[1]!)).toMatchObject({ route: 'secure', count: 2 })
  expect(await runCli(['snapshot', 'allow', '--route', 'secure', ...where])).toMatchObject({ code: 0 })
  expect(store.value('snapshot-consent:secure')).toBe('yes')
  expect(store.value('snapshot-consent')).toBeUndefined()
  const unknown = await runCli(['snapshot', 'allow', '--route', 'other', ...where])
  expect(unknown).toMatchObject({ code: 1 })
  expect(unknown.error).toMatch('The target has no list for route other')
  await store.close()
})
