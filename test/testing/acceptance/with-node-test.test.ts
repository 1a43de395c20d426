import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

/** What `node --test` says of one of the connectors beside this file, for the promises that the pattern names. */
function runWithNodeTest(connector: string, pattern: string): Promise<{ code: unknown; said: string }> {
  const file = fileURLToPath(new URL('./with-node-test.ts', import.meta.url))
  // Under Vitest's own, node:test would report to nobody.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve) => {
    const words = [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-reporter=tap',
      `--test-name-pattern=${pattern}`,
      file,
    ]
    execFile(process.execPath, words, { env: { ...env, CONNECTOR: connector } }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, said: stdout + stderr }),
    )
  })
}

const timeout = 120_000

test(
  'each promise is a test of node:test, and one that cannot be tried is skipped with the reason',
  { timeout },
  async () => {
    const { code, said } = await runWithNodeTest('GoodConnector', 'killed|slow')
    expect(said).toMatch(/^ok \d+ - loses nothing when it is killed at random moments$/m)
    expect(said).toMatch(/^# Kills: 2, of which 2 at work and 0 during the start\.$/m)
    expect(said).toMatch(/^ok \d+ - survives a slow target # SKIP not tried: the target has no address/m)
    expect(said).toMatch(/^# fail 0$/m)
    expect(code).toBe(0)
  },
)

test(
  'a promise that is broken fails node:test, with the first difference and the seed',
  { timeout },
  async () => {
    const { code, said } = await runWithNodeTest('ForgetsMerges', 'follows')
    expect(said).toMatch(/^not ok \d+ - follows creates, updates, deletes, merges/m)
    expect(said).toMatch(/should not be there; it is .*\n.*was merged into another one/)
    expect(said).toMatch(/set the seed to \d+/)
    expect(code).toBe(1)
  },
)
