import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import {
  acceptTarget,
  buildCaseIncident,
  buildReport,
  connectorCapabilities,
  openCtiPropertiesOf,
  Simulator,
  type StixObject,
} from 'opencti-stream-connector/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RequestTrackerConnector } from './connector.ts'
import { type RequestTracker, startRequestTracker } from './server.ts'

let rt: RequestTracker
let simulator: Simulator
let connector: RequestTrackerConnector
let store: MemoryStore

beforeAll(async () => {
  rt = await startRequestTracker()
}, 120_000)

afterAll(() => rt[Symbol.asyncDispose]())

acceptTarget({
  test,
  connector: new URL('./connector.ts', import.meta.url),
  env: () => ({ ...rt.env, CONNECTOR_SEARCH_LAG_MS: '3000' }),
  target: {
    address: () => ({ setting: 'REQUEST_TRACKER_URL', url: rt.url }),
    read: () => rt.read(),
    reset: () => rt.reset(),
  },
  size: 6,
  kills: 2,
  patienceMs: 120_000,
})

describe('a ticket', () => {
  beforeEach(async () => {
    await rt.reset()
    simulator = await Simulator.start({
      heartbeatMs: 200,
      capabilities: [...connectorCapabilities, 'KNOWLEDGE_KNUPDATE'],
    })
    connector = build()
  })

  afterEach(async () => {
    await connector.stop()
    await simulator.close()
  })

  function build(settings: Record<string, string> = {}): RequestTrackerConnector {
    const env = simulator.environment({
      ...rt.env,
      CONNECTOR_RETRY_BASE_MS: '50',
      CONNECTOR_SEARCH_LAG_MS: '0',
      ...settings,
    })
    store = new MemoryStore()
    return new RequestTrackerConnector({ env, store, logger: silentLogger })
  }

  const idOf = (object: StixObject) => openCtiPropertiesOf(object).id
  const until = { timeout: 20_000, interval: 50 }

  /** What RT says about a ticket, with the history of it. */
  async function ticketOf(object: StixObject) {
    const query = encodeURIComponent(`'CF.{OpenCTI ID}' = '${idOf(object)}'`)
    const { items } = (await rt.call('GET', `tickets?query=${query}&orderby=id`)) as {
      items: { id: string }[]
    }
    if (items.length !== 1) return { tickets: items.length }
    const { id } = items[0]!
    const { Subject, Status, Priority } = (await rt.call('GET', `ticket/${id}`)) as Record<string, string>
    return { tickets: 1, id, Subject, Status, Priority, comments: await commentsOf(id) }
  }

  async function countTickets(): Promise<number> {
    return ((await rt.call('GET', 'tickets?query=id%20%3E%200')) as { count: number }).count
  }

  async function commentsOf(id: string): Promise<string[]> {
    const query = `ticket/${id}/history?per_page=100&fields=Type`
    const { items } = (await rt.call('GET', query)) as { items: { id: string; Type: string }[] }
    const comments = []
    for (const { id: transaction } of items.filter(({ Type }) => Type === 'Comment')) {
      const path = `transaction/${transaction}/attachments?fields=Content`
      const found = (await rt.call('GET', path)) as { items: { Content: string }[] }
      comments.push(found.items[0]!.Content)
    }
    return comments
  }

  /** A way to RT on which the answer about a new ticket is lost once, and the next search does not know the ticket yet. */
  class Front {
    readonly #server: Server
    lost = 0
    #isToLose = false
    #isBlind = false

    private constructor(target: string) {
      this.#server = createServer((request, response) => void this.#pass(target, request, response))
    }

    static async start(target: string): Promise<Front> {
      const front = new Front(target)
      await once(front.#server.listen(0, '127.0.0.1'), 'listening')
      return front
    }

    get url(): string {
      return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    }

    loseTicket(): void {
      this.#isToLose = true
    }

    async close(): Promise<void> {
      this.#server.closeAllConnections()
      await new Promise((resolve) => this.#server.close(resolve))
    }

    async #pass(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
      const { method = '', url = '', headers } = request
      const body = method === 'GET' ? undefined : await buffer(request)
      if (this.#isBlind && url.includes('/tickets?')) {
        this.#isBlind = false
        response.end('{ "items": [] }')
        return
      }
      const { authorization = '' } = headers
      const answer = await fetch(`${target}${url}`, {
        method,
        headers: { authorization, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      })
      const text = await answer.text()
      if (this.#isToLose && url.endsWith('/ticket')) {
        this.#isToLose = false
        this.#isBlind = true
        this.lost++
        response.destroy()
        return
      }
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
    }
  }

  test('a case becomes a ticket, its changes comments, and its end a status', async () => {
    await connector.start()
    const incident = simulator.create(
      buildCaseIncident([], { name: 'Phishing at ACME', severity: 'high', priority: 'P2' }),
    )
    await expect
      .poll(() => ticketOf(incident), until)
      .toMatchObject({ Subject: 'Phishing at ACME', Status: 'new', Priority: '75', comments: [] })

    simulator.update(incident.id, { severity: 'critical', priority: 'P1' })
    const told = expect.stringContaining('Priority: 75 → 100')
    await expect.poll(() => ticketOf(incident), until).toMatchObject({ Priority: '100', comments: [told] })

    simulator.delete(incident.id)
    const gone = expect.stringContaining('OpenCTI State: present → deleted')
    await expect
      .poll(() => ticketOf(incident), until)
      .toMatchObject({ Status: 'rejected', comments: [told, gone] })
    expect(connector.status()).toMatchObject({ deadLettered: 0, inFlight: 0 })
  })

  test('the entity gets the address of its ticket once, and that is not news for the ticket', async () => {
    await connector.start()
    const report = simulator.create(buildReport([]))
    await expect
      .poll(() => simulator.entity(report.id)?.['external_references'], until)
      .toMatchObject([
        { source_name: 'Request Tracker', external_id: '1', url: `${rt.url}/Ticket/Display.html?id=1` },
      ])
    await expect.poll(() => connector.status().skippedByReason['own-change'], until).toBeGreaterThan(0)
    expect(await ticketOf(report)).toMatchObject({ tickets: 1, comments: [] })
  })

  test('a ticket that people have resolved stays resolved when its entity goes', async () => {
    await connector.start()
    const report = simulator.create(buildReport([]))
    await expect.poll(() => ticketOf(report), until).toMatchObject({ Status: 'new' })
    await rt.call('PUT', 'ticket/1', { Status: 'resolved' })

    simulator.delete(report.id)
    await expect
      .poll(() => ticketOf(report), until)
      .toMatchObject({ Status: 'resolved', comments: [expect.anything()] })
  })

  test('the ticket of an entity that comes back is opened again', async () => {
    connector = build({ CONNECTOR_FILTER_LABELS_ANY: 'soc' })
    await connector.start()
    const report = simulator.create(buildReport([], { labels: ['soc'] }))
    await expect.poll(() => ticketOf(report), until).toMatchObject({ Status: 'new' })
    simulator.update(report.id, { labels: [] })
    await expect.poll(() => ticketOf(report), until).toMatchObject({ Status: 'rejected' })

    simulator.update(report.id, { labels: ['soc', 'again'] })
    await expect.poll(() => ticketOf(report), until).toMatchObject({ tickets: 1, id: '1', Status: 'open' })
  })

  test('a ticket that people have merged into another keeps what that one says', async () => {
    await connector.start()
    const [first, second] = ['First', 'Second'].map((name, seed) =>
      simulator.create(buildReport([], { seed, name })),
    )
    await expect.poll(() => ticketOf(first!), until).toMatchObject({ tickets: 1 })
    await expect.poll(() => ticketOf(second!), until).toMatchObject({ tickets: 1 })
    const [into, merged] = [await ticketOf(first!), await ticketOf(second!)]
    await rt.call('PUT', `ticket/${merged.id}`, { MergeInto: into.id })

    simulator.update(second!.id, { description: 'Something new.' })
    await expect.poll(() => connector.status().skippedByReason['ticket-merged'], until).toBe(1)
    expect(await ticketOf(first!)).toMatchObject({ Subject: 'First', comments: [] })
  })

  test('two tickets for one report, because an answer was lost on its way, become one', async () => {
    const front = await Front.start(rt.url)
    connector = build({ REQUEST_TRACKER_URL: front.url })
    await connector.start()
    front.loseTicket()
    const report = simulator.create(buildReport([]))
    await expect.poll(() => connector.status().delivered, until).toBeGreaterThan(0)
    expect(front.lost).toBe(1)
    expect(await ticketOf(report)).toMatchObject({ tickets: 1, id: '1' })
    expect(await rt.call('GET', 'ticket/2')).toMatchObject({ EffectiveId: { id: '1' } })
    await front.close()
  })

  test('what is too long or does not fit is cut and cleaned, and taken as it is then', async () => {
    await connector.start()
    const report = simulator.create(
      buildReport([], {
        name: `Line one\nline\u0000 two ${'🦊'.repeat(100)}`,
        description: `a\u0000b\r\nc\t${'é'.repeat(50_000)}`,
        labels: Array.from({ length: 40 }, (_, number) => `it's label ${number}`),
      }),
    )
    await expect
      .poll(() => ticketOf(report), until)
      .toMatchObject({
        Subject: expect.stringMatching(/^Line one line two 🦊{44}…$/u),
      })
    simulator.update(report.id, { confidence: 12 })
    await expect.poll(() => ticketOf(report), until).toMatchObject({ Priority: '12' })
    expect(connector.status()).toMatchObject({ deadLettered: 0 })
  })

  const without = (right: string) => () => ({ REQUEST_TRACKER_TOKEN: rt.tokenOf(`without-${right}`) })

  test.for<[string, () => Record<string, string>, RegExp]>([
    [
      'a wrong token',
      () => ({ REQUEST_TRACKER_TOKEN: '1-14-0123456789abcdef' }),
      /refuses the token\. Set REQUEST_TRACKER_TOKEN/,
    ],
    [
      'a queue that is not there',
      () => ({ REQUEST_TRACKER_QUEUE: 'Nothing' }),
      /no queue "Nothing".*REQUEST_TRACKER_QUEUE/,
    ],
    ['a queue that the user may not see', without('SeeQueue'), /lacks the right SeeQueue/],
    ['no right to create', without('CreateTicket'), /lacks the right CreateTicket of the queue "Incidents"/],
    ['no right to see custom fields', without('SeeCustomField'), /SeeCustomField: OpenCTI ID, OpenCTI Type,/],
    [
      'a queue without the custom fields',
      () => ({ REQUEST_TRACKER_QUEUE: 'No fields' }),
      /custom fields of the queue "No fields" are missing/,
    ],
    [
      'an address of something else',
      () => ({ REQUEST_TRACKER_URL: `${simulator.url}/health` }),
      /is not the address of Request Tracker 5/,
    ],
    [
      'nobody at the address',
      () => ({ REQUEST_TRACKER_URL: 'http://127.0.0.1:9' }),
      /network error: GET http:\/\/127\.0\.0\.1:9\//,
    ],
  ])('check says in one line: %s', async ([, settings, line]) => {
    const problem = await build(settings())
      .check(AbortSignal.timeout(20_000))
      .catch((error: unknown) => String(error))
    expect(problem).toMatch(line)
    expect(problem).not.toContain('\n')
  })

  test.for<[string, () => Record<string, string>, RegExp]>([
    [
      'the right ModifyCustomField',
      without('ModifyCustomField'),
      /did not take OpenCTI ID, .*the rights .*ModifyCustomField/,
    ],
    ['the right ModifyTicket', without('ModifyTicket'), /comment: {"message":"Permission Denied"}/],
    [
      'a status that RT knows',
      () => ({ REQUEST_TRACKER_GONE_STATUS: 'gone' }),
      /Status 'gone' isn't a valid status/,
    ],
    ['an owner that RT takes', () => ({ REQUEST_TRACKER_OWNER: 'nobody-knows' }), /did not take Owner/],
  ])(
    'without %s, which RT does not tell in advance, a dead letter says so, and there is one ticket',
    async ([, settings, error]) => {
      connector = build(settings())
      await connector.start()
      const report = simulator.create(buildReport([]))
      await expect.poll(countTickets, until).toBe(1)
      simulator.update(report.id, { name: 'Another name' })
      simulator.delete(report.id)
      await expect.poll(async () => (await store.deadLetters({ limit: 1 }))[0]?.error, until).toMatch(error)
      await expect.poll(() => connector.status().inFlight, until).toBe(0)
      expect(await countTickets()).toBe(1)
    },
  )
})
