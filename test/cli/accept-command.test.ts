import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runCli } from '../fixtures/run-cli.ts'

const file = (name: string) => fileURLToPath(new URL(`../testing/acceptance/${name}`, import.meta.url))
const target = ['--target', file('document-store.ts'), '--size', '8']
const env = { NODE_OPTIONS: process.env['NODE_OPTIONS']! }

test('accept says which promises are kept', { timeout: 60_000 }, async () => {
  const words = ['accept', `${file('connectors.ts')}#GoodConnector`, ...target, '--only', 'catch-up']
  expect(await runCli(words, env)).toEqual({
    code: 0,
    out: expect.stringMatching(
      /✔ has what the platform has after the catch-up {2}.* s\n\n1 promise kept\.\n$/,
    ),
    error: '',
  })
})

test('accept says how often it has killed the connector', { timeout: 60_000 }, async () => {
  const module = `${file('connectors.ts')}#GoodConnector`
  const { out } = await runCli(['accept', module, ...target, '--only', 'killed', '--kills', '4'], env)
  expect(out).toMatch(/✔ loses nothing.* s\n *Kills: 4, of which 3 at work and 1 during the start\.\n/)
})

test('accept says which promise is broken, and how', { timeout: 60_000 }, async () => {
  const words = ['accept', `${file('connectors.ts')}#DropsDeletes`, ...target, '--only', 'follows', '--json']
  const { code, out } = await runCli(words, env)
  expect(code).toBe(1)
  const { ok, promises } = JSON.parse(out) as { ok: boolean; promises: { status: string; message: string }[] }
  expect(ok).toBe(false)
  expect(promises).toEqual([
    expect.objectContaining({
      status: 'broken',
      message: expect.stringContaining('took nothing away from the target') as string,
    }),
  ])
})

test('accept takes the server beside the connector', { timeout: 60_000 }, async () => {
  const webhook = fileURLToPath(new URL('../../examples/webhook/connector.ts', import.meta.url))
  expect(await runCli(['accept', webhook, '--only', 'catch-up', '--size', '4'], env)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/1 promise kept\.\n$/) as string,
  })
  const alone = await runCli(['accept', `${file('connectors.ts')}#GoodConnector`], env)
  expect(alone).toMatchObject({
    code: 2,
    error: expect.stringMatching(/server\.ts cannot be loaded/) as string,
  })
})

test('accept wants a target that can be read and emptied', async () => {
  const words = ['accept', `${file('connectors.ts')}#GoodConnector`, '--target', file('connectors.ts')]
  expect(await runCli(words, env)).toMatchObject({
    code: 2,
    error: expect.stringContaining('starts no target'),
  })
})
