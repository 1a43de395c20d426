import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import {
  buildIndicator,
  buildKnowledgeBase,
  buildMalware,
  openCtiPropertiesOf,
  Simulator,
  type StixObject,
} from 'opencti-stream-connector/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { compare } from '../../examples/demo/compare.ts'
import { readBundle } from '../../examples/demo/bundle.ts'
import { Screen } from '../../examples/demo/screen.ts'
import { tellStory, type Plan } from '../../examples/demo/story.ts'
import { SiemConnector } from '../../examples/siem/connector.ts'
import { startSiem, type SiemServer } from '../../examples/siem/server.ts'

let simulator: Simulator
let siem: SiemServer
let connector: SiemConnector
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'siem-example-'))
  simulator = await Simulator.start({ heartbeatMs: 200 })
  siem = await startSiem()
  connector = new SiemConnector({
    env: simulator.environment({
      MY_CONNECTOR_API_BASE_URL: siem.url,
      MY_CONNECTOR_API_KEY: siem.apiKey,
    }),
    directory,
    store: new MemoryStore(),
    logger: silentLogger,
  })
})

afterEach(async () => {
  await connector.stop()
  await siem.goDown()
  await simulator.close()
  await rm(directory, { recursive: true, force: true })
})

const keyOf = (object: StixObject) => openCtiPropertiesOf(object).id
const entryOf = (object: StixObject) => siem.entries().get(keyOf(object))
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 10 })

test('brings creates, updates, deletes and merges to the SIEM', async () => {
  const early = buildIndicator('domain', { seed: 1 })
  simulator.load([early])
  await connector.start()
  await eventually(() => expect(entryOf(early)?.pattern).toBe(early.pattern))

  const [first, second, third] = [2, 3, 4].map((seed) => simulator.create(buildIndicator('url', { seed })))
  const malware = simulator.create(buildMalware({ seed: 5 }))
  await eventually(() => expect(entryOf(third!)).toMatchObject({ id: third!.id, tlp: 'TLP:CLEAR' }))
  expect(entryOf(malware)).toBeUndefined()

  const moved = simulator.update(first!.id, {
    name: 'renamed',
    labels: ['apt'],
    pattern: "[domain-name:value = 'moved.example']",
  })
  await eventually(() =>
    expect(entryOf(first!)).toMatchObject({ id: moved.id, name: 'renamed', labels: ['apt'] }),
  )

  simulator.delete(early.id)
  await eventually(() => expect(entryOf(early)).toBeUndefined())

  simulator.merge(second!.id, [third!.id])
  await eventually(() => expect(entryOf(third!)).toBeUndefined())
  expect(entryOf(second!)?.modified).toBe(openCtiPropertiesOf(simulator.entity(second!.id)!).updated_at)
  expect(connector.status()).toMatchObject({ deadLettered: 0, retries: 0 })
})

test('makes a dead letter of one refused entity and delivers the others', async () => {
  siem.poisonName = 'poison'
  await connector.start()
  simulator.create(buildIndicator('domain', { seed: 1, name: 'poison' }))
  const good = simulator.create(buildIndicator('domain', { seed: 2 }))
  await eventually(() => expect(connector.status().deadLettered).toBe(1))
  await eventually(() => expect(entryOf(good)).toBeDefined())
})

test("the example's SIEM refuses as real ones do", async () => {
  const call = async (method: string, path: string, key = siem.apiKey) => {
    const body = method === 'POST' ? JSON.stringify({ opencti_id: 'a', name: 'a' }) : null
    const response = await fetch(`${siem.url}/${path}`, {
      method,
      body,
      headers: { authorization: `Bearer ${key}` },
    })
    return response.status
  }
  expect(await call('GET', 'health', 'wrong')).toBe(401)
  expect(await call('POST', 'indicators')).toBe(201)
  expect(await call('POST', 'indicators')).toBe(409)
  expect(await call('DELETE', 'indicators/unknown')).toBe(404)
  await siem.goDown()
  await expect(call('GET', 'health')).rejects.toThrow('fetch failed')
  await siem.comeBack()
  expect(await call('GET', 'indicators?opencti_id=a')).toBe(200)
})

test('the connector has under 80 lines and leaves everything else to the base class', async () => {
  const path = fileURLToPath(new URL('../../examples/siem/connector.ts', import.meta.url))
  const text = await readFile(path, 'utf8')
  expect(text.trimEnd().split('\n').length).toBeLessThan(80)
  expect(text).not.toMatch(/\b(try|catch|setTimeout|setInterval|retry|process)\b/)
})

const shortPlan: Plan = {
  knowledge: [],
  changesPerSecond: 60,
  latencyMs: 1,
  liveMs: 2500,
  downMs: 600,
}

test('a short demo ends with SIEM and platform in agreement', async () => {
  const { screen, text } = collectingScreen()
  const knowledge = buildKnowledgeBase({ size: 80 })
  const differences = await tellStory({ ...shortPlan, knowledge }, screen, AbortSignal.timeout(25_000))
  expect(differences).toEqual([])
  expect(text()).toMatch(/reconnects +2/)
  expect(text()).toMatch(/dead letters +1/)
  expect(text()).not.toContain('\u001B')
})

test('the comparison finds missing, different, and surplus entries', async () => {
  await connector.start()
  const [same, other, missing, poisoned] = [1, 2, 3, 4].map((seed) =>
    simulator.create(buildIndicator('domain', { seed })),
  )
  await eventually(() => expect(siem.entries().size).toBe(4))
  const entries = new Map(siem.entries())
  entries.set(keyOf(other!), { ...entries.get(keyOf(other!))!, labels: ['stale'], modified: 'long ago' })
  entries.delete(keyOf(missing!))
  entries.set('left-over', { ...entries.get(keyOf(same!))!, opencti_id: 'left-over' })
  const options = {
    simulator,
    siem: entries,
    types: ['indicator'],
    deadLettered: new Set([keyOf(poisoned!)]),
  }
  const { differences, fates } = compare(options)
  expect(fates.get(keyOf(same!))).toBe('delivered')
  expect(differences).toEqual([
    `${other!.id}: has another modified, labels in the SIEM`,
    `${missing!.id}: is missing in the SIEM`,
    `${poisoned!.id}: is in the SIEM, but should not be (dead-lettered)`,
    `${same!.id}: is in the SIEM, but no longer on the platform`,
  ])
})

test('a bundle run accounts for every object', async () => {
  const file = join(directory, 'bundle.json')
  const author = { type: 'identity', id: 'identity--1f3c0a0c-9a45-4b0a-8a3b-0f6c3f0b7c11', name: 'Acme' }
  const odd = {
    type: 'x-acme-thing',
    id: 'x-acme-thing--6f0a1bd8-9c1d-4d4c-b7a4-d7b8a1a5b111',
    name: 'A thing',
  }
  const lost = {
    type: 'relationship',
    id: 'relationship--0d5b2f0e-3f57-4d55-9d53-2f5f3f1c2a22',
    relationship_type: 'related-to',
    source_ref: odd.id,
    target_ref: 'malware--3a2e1a92-98f1-4e57-8a09-d5b9d1d8a333',
  }
  const revoked = {
    type: 'indicator',
    id: 'indicator--7c1b5f0a-55b7-4b5d-8f7b-2c8f1c1d4444',
    name: 'old',
    pattern: "[domain-name:value = 'old.example']",
    pattern_type: 'stix',
    revoked: true,
  }
  await writeFile(file, JSON.stringify({ type: 'bundle', objects: [author, odd, lost, revoked] }))
  const bundle = await readBundle(file)
  const { screen, text } = collectingScreen()
  const plan = { ...shortPlan, knowledge: bundle, bundle }
  expect(await tellStory(plan, screen, AbortSignal.timeout(25_000))).toEqual([])
  expect(text()).toMatch(/identity +1 {2}1 delivered/)
  expect(text()).toMatch(/x-acme-thing +1 {2}1 delivered/)
  expect(text()).toMatch(/relationship +1 {2}1 not sent: an end is missing/)
  expect(text()).toMatch(/indicator +1 {2}1 skipped: revoked/)
})

test('says what is wrong with a file that is not a bundle', async () => {
  const file = join(directory, 'bad.json')
  await expect(readBundle(file)).rejects.toThrow('there is no such file')
  await writeFile(file, '{"type": "bun')
  await expect(readBundle(file)).rejects.toThrow('this is no JSON')
  await writeFile(file, '{"type": "report"}')
  await expect(readBundle(file)).rejects.toThrow('no STIX bundle')
  await writeFile(file, '{"type": "bundle", "objects": [{"type": "malware"}]}')
  await expect(readBundle(file)).rejects.toThrow('object 1 of the bundle')
})

test('the progress line is rewritten on a terminal, stays below other lines, and has no colors on request', () => {
  const written: string[] = []
  const output = { isTTY: true, columns: 80, write: (text: string) => written.push(text) }
  const plain = new Screen(output, { NO_COLOR: '1', TERM: 'xterm' })
  plain.bottom(plain.style('red', 'progress'))
  plain.line('an event')
  expect(written).toEqual(['\r\u001B[2Kprogress', '\r\u001B[2Kan event\nprogress'])
  expect(new Screen(output, { TERM: 'xterm' }).style('red', 'x')).toBe('\u001B[31mx\u001B[39m')
  expect(new Screen(output, { TERM: 'dumb' }).isLive).toBe(false)
})

function collectingScreen(): { screen: Screen; text: () => string } {
  const written: string[] = []
  return { screen: new Screen({ write: (text) => written.push(text) }), text: () => written.join('') }
}
