import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdMap, MemoryStore, SqliteStore, type EntityRecord } from 'opencti-stream-connector'
import { buildIndicator, openCtiPropertiesOf } from 'opencti-stream-connector/testing'
import { caughtUp, makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { linesOf, runCli } from '../fixtures/run-cli.ts'

const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

async function openState(folder: string): Promise<SqliteStore> {
  const store = new SqliteStore({ directory: folder, connectorId })
  await store.open(connectorId)
  return store
}

async function fileWith(folder: string, ...lines: readonly unknown[]): Promise<string> {
  const file = join(folder, 'id-map.jsonl')
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
  await writeFile(file, `${text.join('\n')}\n`)
  return file
}

async function recordsOf(store: MemoryStore | SqliteStore): Promise<readonly EntityRecord[]> {
  return store.entities({ limit: 100_000 })
}

test('an export that is imported elsewhere is the same to the last character', async () => {
  const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => !value.includes('\0'))
  const record = fc.record(
    {
      key: text,
      stixId: text,
      route: text,
      externalId: fc.oneof(text, fc.constant(''), fc.constant('a\u2028b\r\nc')),
      position: fc.constantFrom('0-0', '1700000000000-12'),
      expiresAtMs: fc.nat(),
    },
    { requiredKeys: ['key', 'stixId'] },
  )
  // As the connector keeps them: the key of what went through a route has its name in it.
  const kept = record.map((each) =>
    each.route === undefined ? each : Object.assign({}, each, { key: `${each.key}@${each.route}` }),
  )
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(kept, { selector: ({ key }) => key, maxLength: 20 }), async (records) => {
      const [from, to] = [new MemoryStore(), new MemoryStore()]
      await from.open(connectorId)
      await to.open(connectorId)
      await from.commit({ putEntities: records })
      const lines: string[] = []
      for await (const line of new IdMap(from).export()) lines.push(line)
      expect(lines.join('').includes('\n')).toBe(false)
      expect(await new IdMap(to).import(() => lines)).toMatchObject({ imported: records.length })
      expect(await recordsOf(to)).toEqual(await recordsOf(from))
    }),
    { numRuns: 100 },
  )
})

test('exports and imports a large map on the command line, with all of its fields', async () => {
  const [from, to] = [await temporaryFolder(), await temporaryFolder()]
  const store = await openState(from)
  const records = Array.from({ length: 5000 }, (_, index) => ({
    key: `key ${index} \u2028 ${index % 7}${index % 5 === 0 ? '@internal' : ''}`,
    stixId: `indicator--${index}`,
    ...(index % 2 === 0 ? { externalId: `target "${index}"` } : {}),
    ...(index % 3 === 0 ? { position: `17000000${index}-1`, expiresAtMs: index } : {}),
    ...(index % 5 === 0 ? { route: 'internal' } : {}),
  }))
  await store.commit({ putEntities: records })
  await store.close()
  const file = join(from, 'id-map.jsonl')
  const exported = await runCli(['id-map', 'export', '--file', file, '--state-dir', from])
  expect(exported).toMatchObject({ code: 0, out: `5000 entities written to ${file}.\n` })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  // The state of a connector that has not started yet, in a folder that is not there yet.
  const words = ['--state-dir', join(to, 'new'), '--connector-id', connectorId]
  expect(await runCli(['id-map', 'import', file, ...words, '--json'])).toMatchObject({
    code: 0,
    out: `${JSON.stringify({ connectorId, imported: 5000, byStixId: 0 })}\n`,
  })
  const again = await runCli(['id-map', 'export', ...words])
  expect(again.out).toBe(await readFile(file, 'utf8'))
})

test('refuses a file with errors, naming its lines, and changes nothing', async () => {
  const folder = await temporaryFolder()
  const store = await openState(folder)
  await store.commit({ putEntities: [{ key: 'a', stixId: 's', externalId: 'before' }] })
  await store.close()
  const file = await fileWith(
    folder,
    { key: 'a', stixId: 's', externalId: 'after' },
    '',
    'a,b,c',
    '[1]',
    { key: 'b', externalId: {} },
    { externalId: '7' },
    { key: 'c', stixId: 's', position: 'soon' },
    { key: 'd', expiresAtMs: '2026-09-01' },
    { key: 'a', stixId: 's' },
    { key: 'e', stix_id: 's' },
    { key: 'f@secure', route: 'normal' },
  )
  const { code, error, out } = await runCli(['id-map', 'import', file, '--state-dir', folder])
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(error).toContain('STATE_IMPORT_REFUSED')
  for (const problem of [
    'line 3 is not valid JSON',
    'line 4 is not a JSON object',
    'line 5 has an externalId that is not a text',
    'line 6 names no entity',
    'line 7 has an invalid position',
    'line 8 has an expiresAtMs that is not a number',
    'line 9 names the same entity as line 1',
    'line 10 has an unknown field: stix_id',
    'line 11 has a key of another route',
  ])
    expect(error).toContain(problem)
  const after = await openState(folder)
  expect(await recordsOf(after)).toEqual([{ key: 'a', stixId: 's', externalId: 'before' }])
  await after.close()
})

test('describes a file full of problems in a few lines', async () => {
  const store = new MemoryStore()
  await store.open(connectorId)
  const lines = Array.from({ length: 10_000 }, () => '?')
  await expect(new IdMap(store).import(() => lines)).rejects.toThrow(
    /line 20 is not valid JSON; and 9980 more/,
  )
})

test('refuses an import while the connector runs, but not an export', async () => {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const id = simulator.environment()['CONNECTOR_ID']!
  const recorder = makeRecorder(simulator, { store: new SqliteStore({ directory: folder, connectorId: id }) })
  await recorder.start()
  await caughtUp(recorder)
  const { id: stixId } = simulator.create(buildIndicator('domain', { seed: 1 }))
  await until('the event', () => recorder.callsOf(stixId).length === 1)
  const file = await fileWith(folder, { key: 'a', stixId: 's' })
  const refused = await runCli(['id-map', 'import', file, '--state-dir', folder])
  expect(refused).toMatchObject({ code: 1, out: '' })
  expect(refused.error).toMatch(/STATE_LOCKED.*Stop it first/)
  const { out } = await until('the entity in the file', async () => {
    const exported = await runCli(['id-map', 'export', '--state-dir', folder])
    return exported.out.includes(stixId) ? exported : undefined
  })
  const { key } = JSON.parse(linesOf(out).find((line) => line.includes(stixId))!) as EntityRecord
  expect(key).toBe(openCtiPropertiesOf(simulator.entity(stixId)!).id)
})

test('takes over from another connector, and updates what that one has pushed, under its ids', async () => {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const known = simulator.create(buildIndicator('domain', { seed: 1 }))
  const byStixId = simulator.create(buildIndicator('domain', { seed: 2 }))
  const byFormerId = simulator.create(buildIndicator('domain', { seed: 3 }))
  const foreign = simulator.create(buildIndicator('domain', { seed: 4 }))
  // The other connector has told the platform how far it came.
  const from = simulator.lastEventId
  const id = simulator.environment()['CONNECTOR_ID']!
  const first = makeRecorder(simulator)
  await first.start()
  await caughtUp(first)
  await first.stop()
  simulator.setState(id, JSON.stringify({ start_from: from, recover_until: false }))
  const file = await fileWith(
    folder,
    { key: openCtiPropertiesOf(known).id, externalId: 41 },
    { stixId: byStixId.id, externalId: 'forty-two' },
    { stixId: byFormerId.id, externalId: '43' },
  )
  const words = ['--state-dir', folder, '--connector-id', id, '--complete']
  const imported = await runCli(['id-map', 'import', file, ...words])
  expect(imported).toMatchObject({ code: 0, error: '' })
  expect(imported.out).toContain('2 entities named by STIX id only')
  const seen: string[] = []
  const recorder = makeRecorder(simulator, { store: new SqliteStore({ directory: folder, connectorId: id }) })
  const describe = (hook: string, context: { entityId: string; externalId: string | undefined }) =>
    // What the indicators refer to comes along as a dependency.
    void (context.entityId.startsWith('indicator--') && seen.push(`${hook} ${context.externalId ?? '-'}`))
  recorder.create = async (_, context) => describe('create', context)
  recorder.update = async (_, context) => describe('update', context)
  recorder.delete = async (context) => describe('delete', context)
  await recorder.start()
  simulator.update(known.id, { description: 'changed' })
  simulator.update(byStixId.id, { description: 'changed' })
  simulator.update(byFormerId.id, {
    pattern: "[domain-name:value = 'renamed.example']",
    name: 'renamed.example',
  })
  simulator.delete(byStixId.id)
  simulator.delete(foreign.id)
  await until('all of it', () => recorder.status().skippedByReason['never-pushed'] === 1)
  await until('the rest of it', () => recorder.status().inFlight === 0)
  expect(seen.toSorted()).toEqual(['delete forty-two', 'update 41', 'update 43', 'update forty-two'])
})

test('an interrupted import leaves a map that does not count as complete, and can be repeated', async () => {
  class Full extends MemoryStore {
    writes = 0
    override commit(changes: Parameters<MemoryStore['commit']>[0]): Promise<void> {
      if (this.writes-- === 0) throw new Error('the disk is full')
      return super.commit(changes)
    }
  }
  const store = new Full()
  await store.open(connectorId)
  const lines = Array.from({ length: 2500 }, (_, index) => JSON.stringify({ key: `k${index}`, stixId: 's' }))
  store.writes = 2
  await expect(new IdMap(store).import(() => lines, { isComplete: true })).rejects.toThrow('the disk is full')
  expect(await store.countEntities()).toBe(1000)
  expect(store.value('id-map')).toBeUndefined()
  expect(await new IdMap(store).import(() => lines, { isComplete: true })).toMatchObject({ imported: 2500 })
  expect(store.value('id-map')).toBe('imported')
  expect(await store.countEntities()).toBe(2500)
})
