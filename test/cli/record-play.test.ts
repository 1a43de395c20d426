import { appendFile, chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MemoryStore, SqliteStore } from 'opencti-stream-connector'
import { buildIndicator, buildMalware, readRecording } from 'opencti-stream-connector/testing'
import { makeRecorder, startSimulator, streamRequests } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { simpleConnector, writeConnector } from '../fixtures/connector-files.ts'
import { linesOf, runCli, startCli } from '../fixtures/run-cli.ts'

/** A platform with events of three entities, a folder, and the environment of the command. */
async function stage() {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const file = join(folder, 'events.jsonl')
  const from = simulator.lastEventId
  const indicator = simulator.create({ ...buildIndicator('domain', { seed: 1 }), name: 'one.example' })
  const malware = simulator.create({ ...buildMalware({ seed: 2 }), name: 'Worm' })
  simulator.update(indicator.id, { x_opencti_score: 20 })
  simulator.delete(malware.id)
  const env = simulator.environment()
  const run = (words: readonly string[], more: Record<string, string> = {}) =>
    runCli(words, { ...env, ...more }, { cwd: folder })
  const only = ['--type', 'indicator,malware']
  const record = (...words: string[]) => run(['record', file, '--from', from, ...only, ...words])
  return { folder, simulator, file, from, indicator, malware, env, run, record, only }
}

const framesOf = async (file: string) =>
  linesOf(await readFile(file, 'utf8')).map((line) => JSON.parse(line) as { id: string; event: string })

test('records one frame per line, private to its owner, and says what the file contains', async () => {
  const { record, file, simulator } = await stage()
  const { code, out, error } = await record('--limit', '4')
  expect(code).toBe(0)
  expect(out).toMatch(/^4 events recorded to .*events\.jsonl \(\d+ KiB\)\.\n$/)
  expect(error).toContain('It contains threat intelligence')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await framesOf(file)).map(({ event }) => event)).toEqual(['create', 'create', 'update', 'delete'])
  expect(simulator.connectors).toEqual([])
})

test('ends at a moment of the stream, even if nothing comes after it', async () => {
  const { record, file, simulator } = await stage()
  const result = await record('--until', 'now', '--json')
  expect(result.code).toBe(0)
  expect(JSON.parse(result.out)).toMatchObject({ file, recorded: 4, last: simulator.lastEventId })
  const third = simulator.history.at(-2)!.id
  const again = await record('--until', third, '--json')
  expect(JSON.parse(again.out)).toMatchObject({ recorded: 3, last: third })
})

test('resumes where a recording ends, after a line that was cut off, without a gap or a duplicate', async () => {
  const { run, record, file, simulator, only, env, folder } = await stage()
  await record('--limit', '2')
  await appendFile(file, '{"id":"1-0","event":"cre')
  await chmod(file, 0o644)
  await run(['record', file, ...only, '--limit', '2'])
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const cli = startCli(['record', file, ...only], env, folder)
  await cli.shows(/after the 4 events until/)
  await until('the stream', () => streamRequests(simulator).length > 2 && simulator.connections.length > 0)
  simulator.create({ ...buildMalware({ seed: 7 }), name: 'Late' })
  await until('the late one', async () => (await readFile(file, 'utf8')).includes('Late'))
  expect(await cli.end('SIGINT')).toBe(0)
  expect(cli.output.out).toContain('1 event recorded')
  const corrupt: number[] = []
  const ids: (string | undefined)[] = []
  for await (const { id } of readRecording(file, { onCorruptLine: (line) => corrupt.push(line) }))
    ids.push(id)
  expect(corrupt).toEqual([3])
  const wanted = simulator.history.filter(({ data }) => ['indicator', 'malware'].includes(data.type))
  expect(ids).toEqual(wanted.map(({ id }) => id))
})

test('names a file that it cannot open, with the reason', async () => {
  const folder = await temporaryFolder()
  const missing = join(folder, 'missing.jsonl')
  const played = await runCli(['play', missing])
  expect(played).toMatchObject({
    code: 1,
    error: `${missing} cannot be opened: no such file or folder.\n`,
  })
  const asFolder = await runCli(['play', folder])
  expect(asFolder).toMatchObject({ code: 1, error: 'Expected a file, got a folder.\n' })
})

test('never appends to a file that is not a recording', async () => {
  const { run, folder } = await stage()
  const file = join(folder, 'notes.txt')
  await writeFile(file, 'dear diary\n')
  const { code, error } = await run(['record', file, '--limit', '1'])
  expect({ code, error }).toEqual({
    code: 1,
    error: `${file} is not a recording, and was left unchanged. Choose another file.\n`,
  })
  expect(await readFile(file, 'utf8')).toBe('dear diary\n')
})

test('writes each frame once, however often the connection is cut, live and in a catch-up', async () => {
  const { simulator, file, from, env, folder, only } = await stage()
  const loaded = Array.from({ length: 30 }, (_, index) => buildIndicator('domain', { seed: 100 + index }))
  simulator.load(loaded)
  const start = async (name: string, ...words: string[]) => {
    const path = `${file}-${name}`
    await writeFile(path, '')
    const cli = startCli(['record', path, ...words, ...only], env, folder)
    const has = async (id: string) => (await readFile(path, 'utf8')).includes(id)
    const doubles = async () => {
      expect(await cli.end('SIGINT')).toBe(0)
      const seen = linesOf(await readFile(path, 'utf8')).map((line) => {
        const frame = JSON.parse(line) as { id: string; event: string; data: { data: { id: string } } }
        return `${frame.id} ${frame.event} ${frame.data.data.id}`
      })
      return seen.filter((line, at) => seen.indexOf(line) !== at)
    }
    return { has, doubles }
  }
  const live = await start('live', '--from', from)
  for (let round = 0; round < 3; round++) {
    const { id } = simulator.create(buildIndicator('url', { seed: 200 + round }))
    await until('the frame', () => live.has(id))
    simulator.faults.cut()
  }
  expect(await live.doubles()).toEqual([])

  simulator.faults.cutCatchUpAfterObjects = 20
  const before = streamRequests(simulator).length
  const caughtUp = await start('caught-up', '--from', '0', '--recover')
  await until('a cut', () => streamRequests(simulator).length > before + 2)
  simulator.faults.cutCatchUpAfterObjects = undefined
  for (const { id } of loaded) await until(id, () => caughtUp.has(id))
  expect(await caughtUp.doubles()).toEqual([])
})

test('keeps a frame as often as one connection brings it', async () => {
  const { record, file, simulator } = await stage()
  simulator.faults.duplicateGroups()
  expect((await record('--limit', '5')).code).toBe(0)
  const events = (await framesOf(file)).map(({ event }) => event)
  expect(events).toEqual(['create', 'create', 'create', 'update', 'delete'])
})

test('plays a recording through a connector in order, and prints the counters', async () => {
  const { run, record, file, folder, malware } = await stage()
  await record('--limit', '4')
  const connector = await writeConnector(folder, `${simpleConnector()}\nawait Simple.run()`)
  const { code, out, error } = await runCli(['play', file, connector], {}, { cwd: folder })
  expect(code).toBe(0)
  expect(linesOf(error)).toEqual([
    'created one.example',
    'created Worm',
    'updated one.example',
    `deleted ${malware.id}`,
  ])
  expect(linesOf(out).map((line) => line.replace(/ +/g, ' '))).toEqual([
    'received 4',
    'delivered 4',
    'skipped 0',
    'dead-lettered 0',
  ])
  // The settings of its filter are the connector's.
  const filtered = await run(['play', file, connector, '--json'], { CONNECTOR_FILTER_TYPES: 'malware' })
  expect(JSON.parse(filtered.out)).toMatchObject({
    received: 4,
    delivered: 2,
    skippedByReason: { 'filter-type': 2 },
  })
})

test('a dry run names the route of each operation, and ignores routes of other connectors', async () => {
  const { record, run, file, folder } = await stage()
  await record('--limit', '2')
  const routed = simpleConnector().replace(
    "static defaults = { name: 'Simple' }",
    "static defaults = { name: 'Simple', routes: { everything: {}, threats: { types: ['malware'] } } }",
  )
  const connector = await writeConnector(folder, routed)
  const { out } = await runCli(['play', file, connector, '--dry-run'])
  expect(
    linesOf(out)
      .map((line) => line.replaceAll(/ +/g, ' '))
      .slice(0, 3),
  ).toEqual([
    'create Indicator one.example [everything] → {"name":"one.example"}',
    'create Malware Worm [everything] → {"name":"Worm"}',
    'create Malware Worm [threats] → {"name":"Worm"}',
  ])
  const json = await runCli(['play', file, connector, '--dry-run', '--json'])
  const routes = linesOf(json.out).map((line) => (JSON.parse(line) as { route?: string }).route)
  expect(routes).toEqual(['everything', 'everything', 'threats', undefined])
  // What an operator says of the routes of his connector is in the environment of these too.
  const CONNECTOR_ROUTES = '{"threats":{"min_tlp":"TLP:AMBER"}}'
  for (const words of [
    ['play', file],
    ['tail', '--limit', '1', '--from', '0'],
    ['record', `${file}-2`, '--limit', '1', '--from', '0'],
  ])
    expect(await run(words, { CONNECTOR_ROUTES }), words.join(' ')).toMatchObject({ code: 0 })
  const checked = await run(['check', '--json'], { CONNECTOR_ROUTES, CONNECTOR_STATE_DIR: folder })
  expect((JSON.parse(checked.out) as { checks: unknown[] }).checks[0]).toMatchObject({
    name: 'Settings',
    status: 'ok',
  })
  const wrong = await run(['check', connector], { CONNECTOR_ROUTES: '{"others":{"concurrency":2}}' })
  expect(wrong).toMatchObject({
    code: 2,
    out: expect.stringContaining('Its routes are: everything, threats.') as string,
  })
})

test('a dry run prints what it would do, and does nothing', async () => {
  const { record, file, folder } = await stage()
  await record('--limit', '4')
  const bulk = 'flush() { process.stderr.write("flushed") }\n find() { process.stderr.write("found") }'
  for (const members of ['', bulk]) {
    const connector = await writeConnector(folder, simpleConnector(members), `c${members.length}.ts`)
    const { code, out, error } = await runCli(['play', file, connector, '--dry-run'])
    expect({ code, error }).toEqual({ code: 0, error: '' })
    const lines = linesOf(out).map((line) => line.replace(/ +/g, ' '))
    expect(lines.slice(0, 4)).toEqual([
      'create Indicator one.example → {"name":"one.example"}',
      'create Malware Worm → {"name":"Worm"}',
      'update Indicator one.example → {"name":"one.example"}',
      'delete Malware Worm (deleted)',
    ])
    expect(lines.slice(4, 7)).toEqual(['', 'received 4', 'delivered 4'])
  }
  const connector = await writeConnector(folder, simpleConnector('create = undefined'), 'partly.ts')
  const json = await runCli(['play', file, connector, '--dry-run', '--json'])
  const parsed = linesOf(json.out).map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(parsed.at(-1)).toMatchObject({ delivered: 0, skippedByReason: { 'no-create-hook': 3 } })
  const withoutModule = await runCli(['play', file])
  expect(linesOf(withoutModule.out)[0]).toMatch(/^create +Indicator +one\.example$/)
})

test('exits with 1 if anything is dead-lettered or corrupt, and names the entity and the line', async () => {
  const { record, file, folder, malware } = await stage()
  await record('--limit', '4')
  await appendFile(file, 'half a li')
  const connector = await writeConnector(
    folder,
    simpleConnector('update() { throw Object.assign(new Error("unknown field"), { status: 422 }) }'),
  )
  const { code, out, error } = await runCli(['play', file, connector])
  expect(code).toBe(1)
  expect(error).toContain('unknown field')
  expect(error).toMatch(/Dead letter: indicator--\S+ at \d+-\d+/)
  expect(error).toContain('Line 5 is unreadable: it is not valid JSON')
  expect(error).toContain(`deleted ${malware.id}`)
  expect(out).toMatch(/dead-lettered +1\ncorrupt lines +1\n$/)
  const strict = await runCli(['play', file, '--strict', '--json'])
  expect(strict.code).toBe(1)
  expect(JSON.parse(linesOf(strict.out).at(-1)!)).toMatchObject({ corruptLines: 1 })
})

test('uses the real state only on request, and leaves its position', async () => {
  const { run, record, file, folder, simulator, indicator } = await stage()
  await record('--limit', '4')
  const directory = join(folder, 'state')
  const connector = await writeConnector(folder, simpleConnector())
  const env = { CONNECTOR_STATE_DIR: directory }
  await run(['play', file, connector], env)
  const words = ['play', file, connector, '--state']
  expect((await run(words, env)).code).toBe(0)
  const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
  await store.open(simulator.connectorId)
  expect(await store.countEntities()).toBe(1)
  expect(await store.value('state')).toBeUndefined()
  const locked = await run(words, env)
  expect(locked).toMatchObject({ code: 1, error: expect.stringContaining('STATE_LOCKED') as string })
  await store.close()
  // What it has done is in the id map: playing again finds the position of the entity.
  const again = await run([...words, '--json'], env)
  expect(again.error).not.toContain(`created ${indicator.name as string}`)
  expect((await run([...words, '--dry-run'], env)).code).toBe(2)
})

test('expires nothing that had not expired at the time of the recording', async () => {
  const { folder } = await stage()
  const file = join(folder, 'old.jsonl')
  const data = {
    ...buildIndicator('domain', { seed: 1 }),
    valid_from: '2020-01-01T00:00:00Z',
    valid_until: '2020-03-01T00:00:00Z',
  }
  await writeFile(
    file,
    `${JSON.stringify({ id: '1580000000000-0', event: 'create', received_at: '2020-02-01T00:00:00Z', data: { data } })}\n`,
  )
  const { out } = await runCli(['play', file, '--json'], { CONNECTOR_ON_EXPIRED: 'delete' })
  expect(linesOf(out).map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { operation: 'create' },
    { delivered: 1 },
  ])
})

test('waits for a target that is down until it is interrupted, and says so', async () => {
  const { record, file, folder, env } = await stage()
  await record('--limit', '4')
  const connector = await writeConnector(
    folder,
    simpleConnector('create() { throw Object.assign(new Error("down"), { status: 401 }) }'),
  )
  const cli = startCli(['play', file, connector], env)
  await cli.shows(/Waiting for the target, which is down: down/)
  expect(await cli.end('SIGINT')).toBe(1)
  expect(cli.output.out).toMatch(/not finished +\d/)
})

test('plays a recording within a test', async () => {
  const { record, file, simulator, indicator, malware } = await stage()
  await record('--limit', '4')
  const recorder = makeRecorder(simulator, { store: new MemoryStore() })
  await recorder.processMessages(readRecording(file))
  expect(recorder.status()).toMatchObject({ received: 4, delivered: 4, inFlight: 0 })
  expect(recorder.callsOf(indicator.id)).toEqual(['create', 'update'])
  expect(recorder.callsOf(malware.id)).toEqual(['create', 'delete:deleted'])
  await appendFile(file, '[]\n')
  await expect(recorder.processMessages(readRecording(file))).rejects.toThrow(
    /^Line 5 of .* it is not a JSON object\.$/,
  )
})

test('breaks lines where JSON does, and nowhere else', async () => {
  const folder = await temporaryFolder()
  const file = join(folder, 'odd.jsonl')
  const name = 'a\u2028b\u2029c\r'
  const frame = { id: '1-0', event: 'create', data: { data: { id: 'x--1', type: 'x', name } } }
  await writeFile(file, `\n${JSON.stringify(frame)}\r\n\n${JSON.stringify({ event: 'odd', data: 'raw' })}`)
  const read: unknown[] = []
  for await (const message of readRecording(file)) read.push(message)
  expect(read).toEqual([
    { ...frame, receivedAt: undefined },
    { id: undefined, event: 'odd', data: 'raw', receivedAt: undefined },
  ])
})
