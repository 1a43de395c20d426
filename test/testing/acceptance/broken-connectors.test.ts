import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDocumentStore, type DocumentStore } from './document-store.ts'
import { planFor, trial } from './plan-for.ts'

let store: DocumentStore

beforeAll(async () => {
  store = await startDocumentStore()
})
afterAll(() => store[Symbol.asyncDispose]())

const timeout = 120_000

test.each([
  ['DropsDeletes', 'follows', /deleted entities took nothing away/],
  ['IgnoresUpdates', 'follows', /updates .* changed nothing at the target/],
  ['ForgetsMerges', 'follows', /should not be there; it is .*\n.*was merged into another one/],
  ['IgnoresFilterExits', 'follows', /should not be there; it is .*\n.*left the stream's filter/],
  ['IgnoresExpiry', 'follows', /at \.name should be "expired".*\n.*valid_until that has passed/],
  ['SwallowsErrors', 'away', /No call failed while the target was away/],
  ['SwallowsErrors', '422', /made no dead letter/],
  ['NeverWrites', 'catch-up', /The target is empty .* delivered \d+, .* Does read\(\) read what/],
  ['Hurries', 'slow', /went back to an older content/],
  ['WritesTwice', 'lost answers', /more than once/],
  ['RemembersInMemory', 'state folder', /more than once|should not be there/],
])('%s breaks a promise (%s), and the failure says how', { timeout }, async (connector, words, why) => {
  const history = () => store.history
  const failure: unknown = await trial(planFor(connector, store, { history }), words).catch(
    (error: unknown) => error,
  )
  expect(failure).toMatchObject({
    name: 'AcceptanceFailure',
    message: expect.stringMatching(why) as string,
  })
  expect(failure).toMatchObject({ message: expect.stringMatching(/set the seed to \d+/) as string })
})

test('a read() that always tells the same proves nothing', { timeout }, async () => {
  const plan = planFor('GoodConnector', store, { read: () => [['one', 1]] })
  await expect(trial(plan, 'follows')).rejects.toThrow(/brought nothing new/)
})

test('a read() that tells only what does not change proves no update', { timeout }, async () => {
  const plan = planFor('GoodConnector', store, { read: () => store.read().map(([key]) => [key, true]) })
  await expect(trial(plan, 'follows')).rejects.toThrow(/changed nothing at the target/)
})
