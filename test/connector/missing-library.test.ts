import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { folderWith, minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { runProgram } from '../fixtures/program.ts'

/** As if the optional packages were not installed. */
const withoutPackages = `
import { registerHooks } from 'node:module'
registerHooks({ resolve: (name, context, next) => next(/^(pg|redis)$/.test(name) ? name + '-that-is-missing' : name, context) })
`

test.each([
  ['CONNECTOR_STATE_URL', 'postgres://ann@127.0.0.1:1/state', 'PostgreSQL', 'pg'],
  ['CONNECTOR_STATE_URL', 'redis://127.0.0.1:1', 'Redis', 'redis'],
  ['CONNECTOR_CLUSTER_URL', 'redis://127.0.0.1:1', 'Redis', 'redis'],
])('%s=%s ends at once without its package, and says what to install', async (setting, url, server, name) => {
  const folder = folderWith({ 'without-packages.mjs': withoutPackages })
  const { exit, said } = runProgram('copy-child.ts', {
    ...minimalEnvironment,
    [setting]: url,
    NODE_OPTIONS: `--import=${pathToFileURL(`${folder}/without-packages.mjs`)}`,
  })
  expect(await exit, said()).toBe(1)
  expect(said()).toContain(
    `The state in ${server} requires the package ${name}, which is not installed. Add it to the connector: npm install ${name}`,
  )
  expect(said()).not.toContain('retrying')
})
