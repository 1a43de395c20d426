import { expect, test } from 'vitest'
import { startDocumentStore } from './document-store.ts'
import { planFor, trial } from './plan-for.ts'

const timeout = 120_000

test.each([
  ['LooksFirst', 'lost answers'],
  ['LooksFirst', '409'],
  ['Batches', '413'],
  ['Batches', '422'],
  ['Values', 'follows'],
  ['Values', 'state folder'],
  ['WholeList', 'follows'],
  ['WholeList', 'killed'],
])('%s keeps a promise: %s', { timeout }, async (connector, words) => {
  await using store = await startDocumentStore()
  expect(await trial(planFor(connector, store), words)).toMatchObject({ isTried: true })
})

test('a promise that needs a proxy says why it was not tried', { timeout }, async () => {
  await using store = await startDocumentStore()
  const plan = planFor('GoodConnector', store, { address: undefined })
  expect(await trial(plan, 'away')).toEqual({ isTried: false, why: expect.stringContaining('no address') })
})

test('a proxy for bytes tries what needs no HTTP', { timeout }, async () => {
  await using store = await startDocumentStore()
  const { host } = new URL(store.url)
  const plan = planFor('GoodConnector', store, {
    address: { setting: ({ url }) => ({ STORE_URL: `http://${url}/documents` }), url: host },
  })
  expect(await trial(plan, 'cut')).toEqual({ isTried: true })
  expect(await trial(plan, '422')).toEqual({ isTried: false, why: expect.stringContaining('HTTP') })
})
