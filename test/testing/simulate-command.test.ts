import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { runCli } from '../fixtures/run-cli.ts'
import { connectorCapabilities } from '../../src/testing/live/access.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const command = new URL('../../src/cli/simulate.ts', import.meta.url).href
const bundle = new URL('../fixtures/campaign-bundle.json', import.meta.url).pathname
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function run(...words: string[]) {
  const script = `import { simulateCommand } from '${command}'\nawait simulateCommand().parseAsync(${JSON.stringify(words)}, { from: 'user' })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const output = { out: '', error: '' }
  child.stdout.on('data', (chunk) => (output.out += String(chunk)))
  child.stderr.on('data', (chunk) => (output.error += String(chunk)))
  return { child, output }
}

/** A port that something else listens on. */
async function takenPort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, release: () => new Promise((resolve) => server.close(resolve)) }
}

/** Waits for a condition on the output of a program, or for its end. */
async function until(condition: () => boolean, child: ChildProcess): Promise<void> {
  while (!condition() && child.exitCode === null) {
    await Promise.race([once(child.stdout!, 'data'), once(child.stderr!, 'data'), once(child, 'exit')])
  }
}

test('prints an environment that a shell can read, serves, notes requests without the token and ends with 0', async () => {
  const { child, output } = run(
    '--port',
    '0',
    '--bundle',
    bundle,
    '--size',
    '20',
    '--rate',
    '50',
    '--token',
    "it's-a-token",
  )
  await until(() => output.error.includes('Ctrl-C') && output.out.includes('LIVE_STREAM_ID'), child)
  const environment = Object.fromEntries(
    [...output.out.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name!, value!]),
  )
  expect(Object.keys(environment)).toEqual([
    'OPENCTI_URL',
    'OPENCTI_TOKEN',
    'CONNECTOR_ID',
    'CONNECTOR_LIVE_STREAM_ID',
  ])
  expect(environment['OPENCTI_TOKEN']).toBe(String.raw`it'\''s-a-token`)
  expect(output.error).toContain('Loaded 10 objects')
  const response = await fetch(
    `${environment['OPENCTI_URL']}/stream/${environment['CONNECTOR_LIVE_STREAM_ID']}?from=0-0`,
    {
      headers: { authorization: "Bearer it's-a-token" },
    },
  )
  expect(response.status).toBe(200)
  await response.body?.cancel()
  await until(() => output.error.includes(': 200 from=0-0'), child)
  // Any page in a browser of this machine can ask for this.
  await fetch(`${environment['OPENCTI_URL']}/stream/live?from=%1b%5d0;owned%07%c2%9b2J`)
  await until(() => output.error.includes('owned'), child)
  expect(output.error).not.toMatch(/(?!\n)\p{Cc}/u)
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  expect(await exited).toEqual([0, null])
  expect(output.error).not.toContain("it's-a-token")
})

test("gives the connector's user the usual capabilities, and the ones that were named", async () => {
  const words = '--port 0 --size 0 --rate 0 --json --capabilities KNOWLEDGE_KNUPDATE BYPASS'
  const { child, output } = run(...words.split(' '))
  await until(() => output.error.includes('Ctrl-C') && output.out.endsWith('\n'), child)
  const environment = JSON.parse(output.out) as Record<string, string>
  const headers = {
    authorization: `Bearer ${environment['OPENCTI_TOKEN']}`,
    'content-type': 'application/json',
  }
  const body = JSON.stringify({ query: '{ me { capabilities { name } } }' })
  const answer = await fetch(`${environment['OPENCTI_URL']}/graphql`, { method: 'POST', headers, body })
  const names = [...connectorCapabilities, 'KNOWLEDGE_KNUPDATE', 'BYPASS'].map((name) => ({ name }))
  expect(await answer.json()).toEqual({ data: { me: { capabilities: names } } })
  const help = await runCli(['simulate', '--help'])
  for (const name of [...connectorCapabilities, 'KNOWLEDGE_KNUPDATE', 'BYPASS'])
    expect(help.out).toContain(name)
})

test.each(['65536', '-1', '8080.5', ''])('refuses the port %j as wrong usage', async (port) => {
  const { code, error } = await runCli(['simulate', '--port', port])
  expect(code).toBe(2)
  expect(error).toContain('Must be a whole number from 0 to 65535.')
})

test('says which port is taken, and what to do', async () => {
  const { port, release } = await takenPort()
  const { code, error } = await runCli(['simulate', '--port', String(port)])
  await release()
  expect(code).toBe(1)
  expect(error).toBe(
    `Port ${port} of 127.0.0.1 is in use by another program. Choose another port, or --port 0 for a free one.\n`,
  )
})

test('says what is wrong with a file that is not a bundle', async () => {
  const file = join(await temporaryFolder(), 'none.json')
  await writeFile(file, '{"type":"report"}')
  const { child, output } = run('--port', '0', '--bundle', file)
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).not.toBe(0)
  expect(output.error).toContain('is not a STIX bundle')
})

test('Ctrl-C in a terminal stops the program once, also under node --watch, and waits until it has ended', async () => {
  const cwd = await temporaryFolder()
  await writeFile(
    join(cwd, 'program.mjs'),
    `for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => {
      console.log('stopped by a signal')
      setTimeout(() => { console.log('ended well'); process.exit() }, 500)
    })
    setInterval(() => {}, 1000)
    console.log('ready')`,
  )
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const words = [process.execPath, main, 'simulate', '--', process.execPath, '--watch', 'program.mjs']
  // "script" of util-linux gives it a terminal. A shell in between, such as dash, would end with Ctrl-C itself.
  const command = `exec ${words.join(' ')}`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  children.push(child)
  let shown = ''
  child.stdout.on('data', (chunk) => (shown += String(chunk)))
  await until(() => shown.includes('ready'), child)
  child.stdin.write('\u0003')
  expect(await once(child, 'close')).toEqual([0, null])
  expect(shown.match(/stopped by a signal|ended well/g)).toEqual(['stopped by a signal', 'ended well'])
}, 60_000)
