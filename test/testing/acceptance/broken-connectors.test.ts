import { afterAll, beforeAll, expect, test } from 'vitest'
import { AcceptancePlan } from '../../../src/testing/acceptance/acceptance-plan.ts'
import { DocumentStore } from './document-store.ts'

let store: DocumentStore

beforeAll(async () => {
  store = await DocumentStore.start()
})
afterAll(() => store[Symbol.asyncDispose]())

/** Tries the first promise whose name has these words in it. */
async function trial(connector: string, words: string, target: object = {}): Promise<unknown> {
  const plan = new AcceptancePlan({
    connector: new URL(`./connectors.ts#${connector}`, import.meta.url),
    size: 16,
    kills: 2,
    patienceMs: 10_000,
    target: {
      address: { setting: 'STORE_URL', url: store.url },
      read: () => store.read(),
      reset: () => store.reset(),
      ...target,
    },
  })
  const promise = plan.promises.find(({ name }) => name.includes(words))!
  return plan.try(promise)
}

const timeout = 60_000

test.each([
  ['DropsDeletes', 'follows', /deleted entities took nothing away/],
  ['IgnoresUpdates', 'follows', /updates .* changed nothing at the target/],
  ['ForgetsMerges', 'follows', /should not be there; it is .*\n.*was merged into another one/],
  ['IgnoresFilterExits', 'follows', /should not be there; it is .*\n.*left the stream's filter/],
  ['IgnoresExpiry', 'follows', /at \.name should be "expired".*\n.*valid_until that has passed/],
  ['SwallowsErrors', 'away', /No call failed while the target was away/],
  ['NeverWrites', 'catch-up', /The target is empty .* delivered \d+, .* Does read\(\) read what/],
  ['Hurries', 'slow', /should be .*; it is/],
  ['WritesTwice', 'lost answers', /more than once/],
  ['RemembersInMemory', 'state folder', /more than once|should not be there/],
])('%s fails, and the failure says why', { timeout }, async (connector, words, why) => {
  const failure: unknown = await trial(connector, words).catch((error: unknown) => error)
  expect(failure).toMatchObject({ name: 'AcceptanceFailure', message: expect.stringMatching(why) as string })
  expect(failure).toMatchObject({ message: expect.stringMatching(/set the seed to \d+/) as string })
})

test('a read() that always tells the same proves nothing', { timeout }, async () => {
  const target = { read: () => [['one', 1]] }
  await expect(trial('GoodConnector', 'follows', target)).rejects.toThrow(/brought nothing new/)
})

test('a read() that tells only what does not change proves no update', { timeout }, async () => {
  const target = { read: () => store.read().map(([key]) => [key, true]) }
  await expect(trial('GoodConnector', 'follows', target)).rejects.toThrow(/changed nothing at the target/)
})
