import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { buildIndicator, openCtiPropertiesOf } from 'opencti-stream-connector/testing'
import { startSiem } from '../../examples/siem/server.ts'
import { readmeConnector, simpleConnector, writeConnector } from '../fixtures/connector-files.ts'
import { runCli } from '../fixtures/run-cli.ts'
import { startNode } from './start-node.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const run = promisify(execFile)

test("the connector of the README keeps the example's SIEM in sync, both unchanged", async () => {
  const simulator = await startSimulator()
  await using siem = await startSiem()
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, `${await readmeConnector()}\nawait SiemConnector.run()\n`)
  const kept = simulator.create(buildIndicator('domain', { seed: 1 }))
  const gone = simulator.create(buildIndicator('url', { seed: 2 }))
  const program = startNode(file, folder, {
    ...simulator.environment(),
    MY_SIEM_API_BASE_URL: siem.url,
    MY_SIEM_API_KEY: siem.apiKey,
  })
  const entryOf = (object: typeof kept) => siem.entries().get(openCtiPropertiesOf(object).id)
  await until('both entries', () => entryOf(kept) !== undefined && entryOf(gone) !== undefined)
  expect(entryOf(kept)).toEqual({
    opencti_id: openCtiPropertiesOf(kept).id,
    name: kept['name'],
    pattern: kept['pattern'],
    labels: kept['labels'] ?? [],
    tlp: 'TLP:CLEAR',
  })
  simulator.update(kept.id, { name: 'renamed' })
  simulator.delete(gone.id)
  await until('the changes', () => entryOf(kept)?.name === 'renamed' && entryOf(gone) === undefined)
  program.kill('SIGTERM')
  expect(await program.exit, program.said()).toBe(0)
  expect(program.said()).toBe('')
})

test('tells a class without types that it forgot its settings', async () => {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const code = simpleConnector('#url = this.settings.my_siem.url').replaceAll(/^export /gm, '')
  const file = await writeConnector(folder, `${code}\nawait Simple.run()\n`, 'connector.mjs')
  const env = { ...simulator.environment(), CONNECTOR_STATE_DIR: folder }
  const failure = (await run(process.execPath, [file], { env, cwd: folder }).catch(
    (error: unknown) => error,
  )) as { code: number; stderr: string }
  const hint = 'Simple declares no settings. If it reads any, add "static settings = settings" to the class.'
  expect(failure).toMatchObject({ code: 1 })
  expect(failure.stderr).toContain(hint)
  // Where in the author's file it is.
  expect(failure.stderr).toMatch(/connector\.mjs:\d+:\d+/)
  const checked = await runCli(['check', file], env, { cwd: folder })
  expect(checked).toMatchObject({ code: 1, out: expect.stringContaining(hint) as string })
})
