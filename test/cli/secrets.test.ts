import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { startSimulator } from '../fixtures/stage.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { writeConnector } from '../fixtures/connector-files.ts'
import { runCli, startCli } from '../fixtures/run-cli.ts'

/** What every secret setting holds a piece of. */
const canary = 'Zq7canary9Xv'

const leaky = `
import { StreamConnector, defineSettings, secret, z } from 'opencti-stream-connector'
const settings = defineSettings({ siem: z.object({ key: secret().default('${canary}-default') }) })
export class Leaky extends StreamConnector {
  static settings = settings
  transform(entity) { return { id: entity.id, auth: 'Bearer ' + this.settings.siem.key.reveal() } }
  create(item) { throw Object.assign(new Error('refused with ' + item.auth), { status: 422 }) }
  update() {}
  delete() {}
  open() { if (process.env.FAIL_OPEN) throw new Error('cannot open', { cause: new Error(this.settings.siem.key.reveal()) }) }
  check() { throw Object.assign(new Error('no'), { status: 401, data: { sent: this.settings.siem.key.reveal() } }) }
}
`

test('no command prints a secret, even if everything fails', async () => {
  const folder = await temporaryFolder()
  const simulator = await startSimulator({ token: `${canary}-token` })
  const echo = { body: `{"errors":[{"message":"Bearer ${canary}-token"}]}`, headers: { 'x-echo': canary } }
  const env = {
    ...simulator.environment(),
    OPENCTI_CUSTOM_HEADERS: `x-gate:${canary}-header`,
    SIEM_KEY: `${canary}-key`,
    CONNECTOR_STATE_DIR: join(folder, 'state'),
  }
  const connector = await writeConnector(folder, leaky)
  const recording = join(folder, 'events.jsonl')
  const data = { data: buildIndicator('domain', { seed: 1 }) }
  await writeFile(recording, `${JSON.stringify({ id: '1-0', event: 'create', data })}\n`)
  await appendFile(recording, 'cut')
  const texts: string[] = []
  const run = async (words: string[], more: Record<string, string> = {}) => {
    const { code, out, error } = await runCli(words, { ...env, ...more }, { cwd: folder })
    // What a command did not come to must not meet the next one.
    simulator.faults.clear()
    texts.push(out, error)
    return { code, out, error }
  }
  const opened = await run(['check', connector], { FAIL_OPEN: '1' })
  expect(opened.out).toContain('open() failed: cannot open ([redacted])')
  expect((await run(['check', connector, '--json'])).out).toContain('[redacted]')
  simulator.faults.failGraphql(2, { status: 500, ...echo })
  await run(['check'])
  simulator.faults.refuseConnects(1, { status: 500, reason: `${canary}-token`, ...echo })
  await run(['check'])
  await run(['check', connector], { OPENCTI_TOKEN: `${canary} with a space` })
  await run(['check', connector], { OPENCTI_PROXY: `http://user:${canary}@127.0.0.1:1` })
  await run(['schema', connector])
  await run(['schema', connector, '--markdown'])
  expect((await run(['play', recording, connector, '--dry-run'])).out).toContain('[redacted]')
  expect((await run(['play', recording, connector])).error).toContain('refused with Bearer [redacted]')
  await run(['play', recording, connector, '--json'], { CONNECTOR_LOG_LEVEL: 'debug' })
  simulator.faults.failGraphql(1, { status: 500, ...echo })
  await run(['tail', '--from', '0', '--limit', '1'])
  await run(['tail', '--from', '0', '--limit', '1'], { OPENCTI_TOKEN: `${canary}-wrong` })
  const tail = startCli(['tail'], env, folder)
  await tail.shows(/Press Ctrl-C to stop/)
  await simulator.waitForConnection()
  simulator.faults.refuseConnects(1, { status: 500, reason: `${canary}-token`, ...echo })
  simulator.faults.errorFrame(`broken by ${canary}-token`)
  await tail.shows(/Retrying in/)
  await tail.end('SIGTERM')
  texts.push(tail.output.out, tail.output.error)
  expect(tail.output.error).toContain('[redacted]')
  expect(texts.filter((text) => text.includes(canary))).toEqual([])
}, 90_000)
