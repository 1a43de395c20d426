import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import { acceptTarget, buildReport, Simulator, type StixChanges } from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ChatConnector } from './connector.ts'
import { startChat, type ChatServices } from './server.ts'
import { startSynapse, type Synapse } from './synapse.ts'

const red = 'marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed'
const green = 'marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da'
const unlimited = '{ normal: { rate_limit_per_second: 0 }, secure: { rate_limit_per_second: 0 } }'

let chat: ChatServices
let synapse: Synapse

beforeAll(async () => {
  chat = await startChat()
  synapse = await startSynapse({ perSecond: 1000 })
})
beforeEach(() => chat.reset())
afterAll(async () => {
  await chat?.[Symbol.asyncDispose]()
  await synapse?.[Symbol.asyncDispose]()
})

const report = (seed: number, changes: StixChanges = {}) => buildReport([], { seed, ...changes })

function made(env: Record<string, string>) {
  const connector = new ChatConnector({ env, store: new MemoryStore(), logger: silentLogger })
  onTestFinished(() => connector.stop())
  return connector
}

/** A connector between a new platform and Slack and Teams. */
async function connected(env: Record<string, string> = {}) {
  const simulator = await Simulator.start({ heartbeatMs: 50 })
  onTestFinished(() => simulator[Symbol.asyncDispose]())
  simulator.load([report(1000, { name: 'old' })])
  const connector = made(simulator.environment({ ...chat.env, CHAT_DIGEST_S: '0.2', ...env }))
  await connector.start()
  return { simulator, connector }
}

const posted = (channel: 'normal' | 'secure') =>
  chat.news.filter((news) => news.channel === channel).map(({ heading, name }) => `${heading}: ${name}`)
const everything = () =>
  expect.poll(() => [posted('normal').toSorted(), posted('secure').toSorted()], { timeout: 20_000 })

test('each marking goes to the channel whose members may see it, and an unknown one to none', async () => {
  const { simulator } = await connected()
  const unknown = 'marking-definition--0a1b2c3d-0000-4000-8000-00000000abcd'
  simulator.create(report(1, { name: 'red', object_marking_refs: [red] }))
  simulator.create(report(2, { name: 'unknown', object_marking_refs: [unknown] }))
  simulator.create(report(3, { name: 'green', object_marking_refs: [green] }))
  simulator.create(report(4, { name: 'clear', object_marking_refs: [] }))
  await everything().toEqual([
    ['New Report: clear', 'New Report: green'],
    ['New Report: clear', 'New Report: red'],
  ])
})

test('starts with what is new, and says when something is withdrawn', async () => {
  const { simulator } = await connected()
  const { id } = simulator.create(report(1, { name: 'wrong', object_marking_refs: [green] }))
  await everything().toEqual([['New Report: wrong'], []])
  simulator.update(id, { description: 'changed' })
  simulator.delete(id)
  await everything().toEqual([['New Report: wrong', 'Withdrawn (deleted) Report: wrong'], []])
})

test('posts changes if asked to', async () => {
  const { simulator } = await connected({ CHAT_UPDATES: 'true' })
  const { id } = simulator.create(report(1, { name: 'draft', object_marking_refs: [green] }))
  await everything().toEqual([['New Report: draft'], []])
  simulator.update(id, { name: 'final' })
  await everything().toEqual([['Changed Report: final', 'New Report: draft'], []])
})

test('a burst becomes a few messages, at most one a second', async () => {
  const { simulator } = await connected({ CHAT_DIGEST_S: '1' })
  for (let seed = 0; seed < 60; seed++) simulator.create(report(seed, { object_marking_refs: [green] }))
  await expect.poll(() => posted('normal').length, { timeout: 20_000 }).toBe(60)
  expect(chat.messages).toBeLessThanOrEqual(6)
  expect(chat.refused).toBe(0)
})

test('no text is too long for a message, or means anything to the chat', async () => {
  const { simulator } = await connected()
  const name = '<!channel> & <https://evil.example|*click*>'
  for (let seed = 0; seed < 25; seed++)
    simulator.create(
      report(seed, {
        name: `${name} ${'&'.repeat(400)}${'𝕏'.repeat(400)}`,
        description: '<&>𝕏'.repeat(5000),
        labels: Array.from({ length: 50 }, (_, index) => `a label & ${index}`),
        object_marking_refs: [],
      }),
    )
  await expect
    .poll(() => [posted('normal').length, posted('secure').length], { timeout: 30_000 })
    .toEqual([25, 25])
  for (const each of chat.news) expect(each.name).toBe(`${name} ${'&'.repeat(105)}…`)
})

test('waits as long as Slack asks', async () => {
  const before = chat.refused
  const { simulator } = await connected({
    CHAT_DIGEST_S: '0',
    CONNECTOR_ROUTES: unlimited,
    CONNECTOR_BATCH_MAX_ITEMS: '1',
  })
  for (let seed = 0; seed < 7; seed++) simulator.create(report(seed, { object_marking_refs: [green] }))
  await expect.poll(() => posted('normal').length, { timeout: 30_000 }).toBe(7)
  expect(chat.refused).toBeGreaterThan(before)
})

test('Matrix has each piece of news once, although every answer is lost at first', async () => {
  await synapse.reset()
  const lost = new Set<string>()
  const proxy = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { url = '/', method, headers } = incoming
    const isFirst = method === 'PUT' && !lost.has(url)
    if (isFirst) lost.add(url)
    const onward = request(`${synapse.url}${url}`, { method, headers }, (answer) => {
      if (isFirst) {
        answer.resume().on('end', () => outgoing.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void proxy.close())
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const { simulator } = await connected({
    ...synapse.env,
    CHAT_NORMAL_URL: url,
    CHAT_SECURE_URL: url,
    CONNECTOR_ROUTES: unlimited,
    CONNECTOR_RETRY_BASE_MS: '10',
    CONNECTOR_OUTAGE_PROBE_MIN_MS: '10',
    CONNECTOR_OUTAGE_PROBE_MAX_MS: '100',
  })
  for (let seed = 0; seed < 12; seed++)
    simulator.create(report(seed, { name: `report ${seed}`, object_marking_refs: [green] }))
  await expect.poll(async () => (await synapse.read()).size, { timeout: 60_000 }).toBe(12)
  await expect.poll(() => lost.size).toBe(12)
  expect(await synapse.news()).toHaveLength(12)
})

describe('says in one line that', () => {
  const platform = {
    OPENCTI_URL: 'http://127.0.0.1:1',
    OPENCTI_TOKEN: 'a-token',
    CONNECTOR_ID: '3f0b1f6e-9a55-4d1b-8a4e-0d8b6e2a7c11',
    CONNECTOR_LIVE_STREAM_ID: '8d4b2a71-1c53-4e58-9a0c-7f1d2e3b4c55',
  }
  const check = async (env: Record<string, string>) =>
    made({ ...platform, ...env }).check(AbortSignal.timeout(20_000))

  test('a webhook of Slack is gone, or nobody answers', async () => {
    await expect(
      check({ ...chat.env, CHAT_NORMAL_URL: `${chat.url}/services/T01/B01/wrong` }),
    ).rejects.toThrow(/^Slack does not take CHAT_NORMAL_URL: 404 no_service$/)
    await expect(check({ ...chat.env, CHAT_NORMAL_URL: 'http://127.0.0.1:1/services' })).rejects.toThrow()
  })

  test('a token of Matrix is wrong, or its user is not in the room', async () => {
    await expect(check({ ...synapse.env, CHAT_NORMAL_TOKEN: 'wrong' })).rejects.toThrow(/401/)
    await expect(check({ ...synapse.env, CHAT_SECURE_ROOM: '!elsewhere:localhost' })).rejects.toThrow(
      'The user of CHAT_SECURE_TOKEN is not in the room !elsewhere:localhost',
    )
  })

  test('a setting is missing or has the wrong form', () => {
    const { CHAT_SECURE_URL: _, ...withoutUrl } = chat.env
    expect(() => made({ ...platform, ...withoutUrl })).toThrow(
      'CHAT_SECURE_URL (chat.secure_url) is not set.',
    )
    const { CHAT_NORMAL_ROOM: __, ...withoutRoom } = synapse.env
    expect(() => made({ ...platform, ...withoutRoom })).toThrow(/CHAT_NORMAL_ROOM .* is not set/)
    expect(() => made({ ...platform, ...chat.env, CHAT_NORMAL_URL: 'hooks.slack.com/x' })).toThrow(
      /CHAT_NORMAL_URL .* must be a web address/,
    )
    expect(() => made({ ...platform, ...synapse.env, CHAT_NORMAL_ROOM: '#soc' })).toThrow(/id of a room/)
  })

  test('nothing, if all is well', async () => {
    await expect(check(chat.env)).resolves.toBeUndefined()
    await expect(check(synapse.env)).resolves.toBeUndefined()
    expect(chat.news).toEqual([])
  })
})

const pace = {
  CONNECTOR_ROUTES: unlimited,
  CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
  // Small messages, so that there are many of them to go wrong.
  CONNECTOR_BATCH_MAX_ITEMS: '1',
  CHAT_UPDATES: 'true',
}

describe('Slack and Teams', () => {
  let fast: ChatServices
  beforeAll(async () => {
    fast = await startChat({ perSecond: 1000 })
  })
  afterAll(() => fast?.[Symbol.asyncDispose]())

  acceptTarget({
    test,
    connector: new URL('./connector.ts', import.meta.url),
    env: () => ({ ...fast.env, ...pace }),
    target: {
      address: () => ({ setting: ({ url }) => fast.envAt(url), url: fast.url }),
      read: () => fast.read(),
      reset: () => fast.reset(),
    },
    size: 20,
    kills: 2,
  })
})

describe('Matrix', () => {
  acceptTarget({
    test,
    connector: new URL('./connector.ts', import.meta.url),
    env: () => ({ ...synapse.env, ...pace }),
    target: {
      address: () => ({
        setting: ({ url }) => ({ CHAT_NORMAL_URL: url, CHAT_SECURE_URL: url }),
        url: synapse.url,
      }),
      read: () => synapse.read(),
      reset: () => synapse.reset(),
    },
    size: 20,
    kills: 2,
  })
})
