import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { buildIndicator, buildMalware, buildObservable } from 'opencti-stream-connector/testing'
import { startSimulator, streamRequests } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { linesOf, runCli, startCli } from '../fixtures/run-cli.ts'

/** Without the markings, which come as dependencies. */
const ofOurs = 'indicator,malware,ipv4-addr'

/** A platform with a little history, and what is needed to watch it. */
async function stage() {
  const simulator = await startSimulator()
  const { OPENCTI_URL, OPENCTI_TOKEN, CONNECTOR_LIVE_STREAM_ID } = simulator.environment() as Record<
    string,
    string
  >
  const env = {
    OPENCTI_URL: OPENCTI_URL!,
    OPENCTI_TOKEN: OPENCTI_TOKEN!,
    CONNECTOR_LIVE_STREAM_ID: CONNECTOR_LIVE_STREAM_ID!,
  }
  const from = simulator.lastEventId
  const indicator = simulator.create({
    ...buildIndicator('domain', { seed: 1 }),
    name: 'bad.example',
    labels: ['Botnet', 'c2'],
    x_opencti_score: 90,
  })
  simulator.create({ ...buildMalware({ seed: 2 }), name: 'Worm' })
  simulator.update(indicator.id, { x_opencti_score: 20 })
  simulator.create(buildObservable('ipv4-addr', { seed: 3 }))
  simulator.delete(indicator.id)
  const tail = async (...words: string[]) => {
    const { code, out, error } = await runCli(['tail', '--from', from, ...words], env)
    return { code, error, lines: linesOf(out) }
  }
  return { simulator, env, from, tail, indicator }
}

test('prints one readable line per event, below its day', async () => {
  const { tail, simulator } = await stage()
  const { code, lines, error } = await tail('--limit', '5', '--type', ofOurs)
  expect(code).toBe(0)
  expect(error).toBe(`Watching "Everything" at ${simulator.url}. Press Ctrl-C to stop.\n`)
  expect(lines[0]).toMatch(/^── \d{4}-\d\d-\d\d UTC$/)
  const events = lines.slice(1).map((line) => line.slice(10).replace(/ +/g, ' '))
  expect(events[0]).toMatch(/^create Indicator 90 \S* ?bad.example #Botnet #c2$/)
  expect(events.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'create Indicator',
    'create Malware',
    'update Indicator',
    'create IPv4-Addr',
    'delete Indicator',
  ])
})

test('filters by type, event, label, score and name', async () => {
  const { tail } = await stage()
  const shown = async (...words: string[]) => {
    const { lines } = await tail(...words)
    return lines.slice(1).map((line) => line.slice(10, 16))
  }
  expect(await shown('--type', 'ipv4-addr,MALWARE', '--limit', '2')).toEqual(['create', 'create'])
  expect(await shown('--type', 'indicator', '--event', 'update,delete', '--limit', '2')).toEqual([
    'update',
    'delete',
  ])
  expect(await shown('--label', 'C2', '--limit', '3')).toEqual(['create', 'update', 'delete'])
  expect(await shown('--label', 'botnet', '--min-score', '50', '--limit', '1')).toEqual(['create'])
  expect(await shown('--name', 'WORM', '--limit', '1')).toEqual(['create'])
})

test('filters by marking, and shows the marking in short form', async () => {
  const { simulator, tail } = await stage()
  const red = simulator.entities().find(({ name }) => name === 'TLP:RED')!
  simulator.create({ ...buildIndicator('url', { seed: 9 }), object_marking_refs: [red.id] })
  const { lines } = await tail('--tlp', 'amber+strict,red', '--limit', '1')
  expect(lines[1]).toMatch(/create {2}Indicator +\d+ {2}RED /)
})

test('--json prints the frames unchanged', async () => {
  const { tail, simulator, indicator } = await stage()
  const { lines } = await tail('--limit', '1', '--json', '--type', ofOurs)
  const frame = JSON.parse(lines[0]!) as Record<string, unknown>
  expect(Object.keys(frame)).toEqual(['id', 'event', 'received_at', 'data'])
  expect(frame).toMatchObject({ event: 'create', data: { data: { id: indicator.id } } })
  expect(simulator.history.map(({ id }) => id)).toContain(frame['id'])
})

test('text from the platform cannot control the terminal', async () => {
  const { simulator, tail } = await stage()
  simulator.create({
    ...buildMalware({ seed: 4 }),
    name: '\u001B]0;owned\u0007\u001B[31mred\u001B[2J\r\nnext\u202Eevil\u009B5m',
    labels: ['\u001B[1mloud'],
  })
  const { lines } = await tail('--name', 'owned', '--limit', '1')
  expect(lines).toHaveLength(2)
  expect(lines[1]).not.toMatch(/[\p{Cc}\u202e]/u)
  expect(lines[1]).toContain('owned')
})

test('begins now by default, survives a cut, and loses and duplicates nothing', async () => {
  const { simulator, env } = await stage()
  const cli = startCli(['tail', '--type', 'malware'], env)
  await until('the stream', () => streamRequests(simulator).length > 0 && simulator.connections.length > 0)
  for (let seed = 10; seed < 20; seed++)
    simulator.create({ ...buildMalware({ seed }), name: `Family ${seed}` })
  await cli.shows(/Family 19/)
  simulator.faults.cut()
  for (let seed = 20; seed < 25; seed++)
    simulator.create({ ...buildMalware({ seed }), name: `Family ${seed}` })
  await cli.shows(/Family 24/)
  const names = [...cli.output.out.matchAll(/Family (\d+)/g)].map(([, number]) => Number(number))
  expect(names).toEqual(Array.from({ length: 15 }, (_, index) => index + 10))
  expect(cli.output.out).not.toContain('Worm')
  expect(await cli.end('SIGINT')).toBe(0)
  expect(cli.output.error).toMatch(/Retrying in \d+ s/)
  expect(simulator.connectors).toEqual([])
  await simulator.waitForDisconnection()
})

test('--recover shows what exists and is not in the history', async () => {
  const { simulator, env } = await stage()
  simulator.load([{ ...buildMalware({ seed: 30 }), name: 'Ancient' }])
  const words = ['tail', '--from', '0', '--name', 'ancient', '--limit', '1', '--recover']
  const { code, out } = await runCli(words, env)
  expect(code).toBe(0)
  expect(out).toContain('Ancient')
})

test('prints the times of a gap', async () => {
  const { env } = await stage()
  const { error } = await runCli(['tail', '--from', '2020-01-01T00:00:00Z', '--limit', '1'], env)
  expect(error).toMatch(
    /events start at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: any since 2020-01-01 00:00:00 UTC are/,
  )
})

test.each(['1577836800', '2020-01-01', '2020-01-01T00:00:00', '1577836800000-0'])(
  '--from %s means the same as in the settings',
  async (from) => {
    const { env, simulator } = await stage()
    await runCli(['tail', '--from', from, '--limit', '1'], env)
    expect(streamRequests(simulator)[0]!.query['from']).toBe('1577836800000-0')
  },
)

test('reports a beginning in the future instead of waiting in silence', async () => {
  const { env } = await stage()
  const tail = startCli(['tail', '--from', '2099-01-01'], env)
  await tail.shows(/--from sets the start to 2099-01-01T00:00:00Z, which is in the future/)
})

test('does not fail if the reader has seen enough', async () => {
  const { simulator, env, from } = await stage()
  for (let seed = 100; seed < 1100; seed++) simulator.create(buildMalware({ seed }))
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main, 'tail', '--from', from, '--json'], {
    env: { PATH: process.env['PATH'], ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let error = ''
  child.stderr.on('data', (chunk) => (error += String(chunk)))
  child.stdout.once('data', () => child.stdout.destroy())
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code).toBe(0)
  expect(linesOf(error)).toHaveLength(1)
})

test('prints colors in a terminal, and lines that fit it', async () => {
  const { simulator, env, from } = await stage()
  simulator.create({ ...buildMalware({ seed: 5 }), name: '龍'.repeat(60), labels: ['a'.repeat(90)] })
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
  const command = `stty cols 80; ${process.execPath} ${main} tail --from ${from} --limit 6 --type ${ofOurs} 2>/dev/null`
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm-256color', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => (out += String(chunk)))
  await once(child, 'close')
  expect(out).toContain('\u001B[32mcreate\u001B[39m')
  expect(out).toContain('\u001B[31mdelete\u001B[39m')
  const plain = linesOf(stripVTControlCharacters(out).replaceAll('\r', ''))
  for (const line of plain)
    expect([...line].length + (line.match(/龍/g)?.length ?? 0)).toBeLessThanOrEqual(80)
  expect(plain.at(-1)).toMatch(/龍…$/)
})

test('says at once what it cannot watch, and what to do', async () => {
  const { simulator, env } = await stage()
  const run = (changes: Record<string, string>, ...words: string[]) =>
    runCli(['tail', ...words], { ...env, ...changes })
  const cases: readonly (readonly [Promise<{ code: number | null; error: string }>, number, RegExp])[] = [
    [run({ OPENCTI_TOKEN: 'Zq7canary9Xv-token' }), 1, /PLATFORM_REFUSED: /],
    [run({}, '--stream', '3fa85f64-5717-4562-b3fc-2c963f66afa6'), 1, /STREAM_UNKNOWN: /],
    [run({ CONNECTOR_LIVE_STREAM_ID: '' }), 2, /STREAM_NOT_CONFIGURED: /],
    [run({ OPENCTI_URL: '' }), 2, /OPENCTI_URL \(opencti.url\) is not set/],
    [run({}, '--from', 'yesterday'), 2, /an age \(15m, 2h, 7d\)/],
    [run({}, '--tlp', 'pink'), 2, /one of clear/],
    [run({}, '--event', 'merged'), 2, /one of create/],
  ]
  for (const [running, wanted, message] of cases) {
    const { code, error } = await running
    expect({ code, error }).toEqual({ code: wanted, error: expect.stringMatching(message) as string })
    expect(error).not.toMatch(/Zq7canary9Xv|\n\s+at /)
  }
  simulator.stopStream()
  expect(await run({})).toMatchObject({ code: 1, error: expect.stringContaining('STREAM_STOPPED') as string })
})
