import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import {
  acceptTarget,
  buildIndicator,
  openCtiPropertiesOf,
  Simulator,
} from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebhookConnector } from './connector.ts'
import { startWebhookReceiver, type WebhookReceiver } from './server.ts'

let receiver: WebhookReceiver

beforeAll(async () => {
  receiver = await startWebhookReceiver()
})
afterAll(() => receiver[Symbol.asyncDispose]())

acceptTarget({
  test,
  connector: new URL('./connector.ts', import.meta.url),
  env: () => receiver.env,
  target: {
    address: () => ({ setting: 'WEBHOOK_URL', url: receiver.url }),
    read: () => receiver.read(),
    reset: () => receiver.reset(),
  },
})

test('signs what it sends, says what to do, and brings the patch', async () => {
  const indicator = buildIndicator('domain', { name: 'before' })
  let id = 'nobody yet'
  const received: { headers: IncomingHttpHeaders; body: string }[] = []
  const receive = async ({ headers, body }: { headers: IncomingHttpHeaders; body: Promise<string> }) => {
    if (headers['x-opencti-entity'] === id) received.push({ headers, body: await body })
  }
  const server = createServer((request, response) => {
    void receive({ headers: request.headers, body: text(request) }).finally(() => response.end())
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  await using simulator = await Simulator.start()
  await using connector = new WebhookConnector({
    env: simulator.environment({
      ...receiver.env,
      WEBHOOK_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    }),
    store: new MemoryStore(),
    logger: silentLogger,
  })
  await connector.start()
  const has = (count: number) => expect.poll(() => received.length, { timeout: 20_000 }).toBe(count)
  id = openCtiPropertiesOf(simulator.create(indicator)).id
  await has(1)
  simulator.update(indicator.id, { name: 'after' })
  await has(2)
  simulator.delete(indicator.id)
  await has(3)

  for (const { headers, body } of received) {
    const hmac = createHmac('sha256', receiver.signingSecret).update(body)
    expect(headers).toMatchObject({
      authorization: `Bearer ${receiver.token}`,
      'content-type': 'application/json',
      'x-opencti-entity': id,
      'x-opencti-signature': `sha256=${hmac.digest('hex')}`,
    })
  }
  expect(received.map(({ headers }) => headers['x-opencti-event'])).toEqual(['create', 'update', 'delete'])
  expect(new Set(received.map(({ headers }) => headers['idempotency-key'])).size).toBe(3)
  expect(JSON.parse(received[1]!.body)).toMatchObject({
    data: { name: 'after' },
    context: { patch: expect.arrayContaining([expect.objectContaining({ value: 'after' })]) as unknown },
  })
})

describe('says in one line, before anything runs, that', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['the token is wrong', { WEBHOOK_TOKEN: 'wrong' }, /401/],
    ['the receiver is not there', { WEBHOOK_URL: 'http://127.0.0.1:1/hook' }, /network error/],
  ])('%s', async (_, env, problem) => {
    const connector = new WebhookConnector({
      env: {
        OPENCTI_URL: 'http://127.0.0.1:1',
        OPENCTI_TOKEN: 'a-token',
        CONNECTOR_ID: randomUUID(),
        CONNECTOR_LIVE_STREAM_ID: 'live',
        ...receiver.env,
        ...env,
      },
      store: new MemoryStore(),
      logger: silentLogger,
    })
    await expect(connector.check(AbortSignal.timeout(10_000))).rejects.toThrow(problem)
  })
})
