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
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { JiraConnector } from './connector.ts'
import { type JiraIssue, type JiraServer, type JiraServerOptions, startJira } from './server.ts'

let jira: JiraServer

describe('Jira', () => {
  beforeAll(async () => {
    jira = await startJira({ searchLagMs: 300, perSecond: 500 })
  })
  afterAll(() => jira[Symbol.asyncDispose]())

  acceptTarget({
    test,
    connector: new URL('./connector.ts', import.meta.url),
    env: () => ({ ...jira.env, CONNECTOR_SEARCH_LAG_MS: '400' }),
    target: {
      address: () => ({ setting: 'JIRA_URL', url: jira.url }),
      read: () => jira.read(),
      reset: () => jira.reset(),
    },
    size: 18,
    kills: 3,
  })
})

let simulator: Simulator
let store: MemoryStore

beforeEach(async () => {
  simulator = await Simulator.start({
    heartbeatMs: 200,
    capabilities: [...connectorCapabilities, 'KNOWLEDGE_KNUPDATE'],
  })
})
afterEach(() => simulator.close())

/** A connector to a Jira of its own. */
async function connected(
  options: JiraServerOptions = {},
  settings: (server: JiraServer) => Record<string, string> = () => ({}),
): Promise<{ server: JiraServer; connector: JiraConnector }> {
  const server = await startJira({ searchLagMs: 500, ...options })
  const connector = build(server, settings(server))
  onTestFinished(async () => {
    await connector.stop()
    await server[Symbol.asyncDispose]()
  })
  await connector.start()
  return { server, connector }
}

function build(server: JiraServer, settings: Record<string, string> = {}): JiraConnector {
  store = new MemoryStore()
  const env = simulator.environment({
    ...server.env,
    CONNECTOR_RETRY_BASE_MS: '50',
    CONNECTOR_OUTAGE_PROBE_MIN_MS: '50',
    CONNECTOR_OUTAGE_PROBE_MAX_MS: '300',
    CONNECTOR_SEARCH_LAG_MS: '600',
    ...settings,
  })
  return new JiraConnector({ env, store, logger: silentLogger })
}

const until = { timeout: 20_000, interval: 20 }
const labelOf = (object: StixObject) => `opencti-${openCtiPropertiesOf(object).id}`

function issuesOf(server: JiraServer, object: StixObject): JiraIssue[] {
  return [...server.issues().values()].filter(({ labels }) => labels.includes(labelOf(object)))
}

test('a case becomes an issue, linked in OpenCTI, that follows it to the end', async () => {
  const { server, connector } = await connected()
  const incident = simulator.create(
    buildCaseIncident([], { name: 'Phishing at ACME', priority: 'P2', description: 'One.\n\nTwo.' }),
  )
  const issue = () => issuesOf(server, incident)[0]
  await expect.poll(issue, until).toMatchObject({
    id: '10001',
    status: 'To Do',
    fields: {
      summary: 'Phishing at ACME',
      priority: { name: 'High' },
      description: {
        type: 'doc',
        version: 1,
        content: expect.arrayContaining([{ type: 'paragraph', content: [] }]),
      },
    },
  })
  await expect
    .poll(() => simulator.entity(incident.id)?.['external_references'], until)
    .toMatchObject([{ source_name: 'Jira', external_id: 'SOC-1', url: `${server.url}/browse/SOC-1` }])

  simulator.update(incident.id, { priority: 'P1' })
  await expect.poll(issue, until).toMatchObject({ fields: { priority: { name: 'Highest' } } })
  simulator.delete(incident.id)
  await expect.poll(issue, until).toMatchObject({
    status: "Won't do",
    labels: expect.arrayContaining(['opencti-gone']),
    comments: ['The entity is gone from OpenCTI: deleted.'],
  })
  expect(connector.status()).toMatchObject({ deadLettered: 0 })
})

test('an issue that people have finished keeps its status', async () => {
  const { server } = await connected()
  const report = simulator.create(buildReport([]))
  await expect.poll(() => issuesOf(server, report), until).toHaveLength(1)
  server.move('SOC-1', 'Done')
  simulator.delete(report.id)
  await expect
    .poll(() => issuesOf(server, report)[0], until)
    .toMatchObject({ status: 'Done', comments: [expect.stringContaining('deleted')] })
})

test('the issue of an entity that comes back is opened again', async () => {
  const { server } = await connected({}, () => ({ CONNECTOR_FILTER_LABELS_ANY: 'soc' }))
  const report = simulator.create(buildReport([], { labels: ['soc'] }))
  await expect.poll(() => issuesOf(server, report)[0]?.status, until).toBe('To Do')
  simulator.update(report.id, { labels: [] })
  await expect.poll(() => issuesOf(server, report)[0]?.labels, until).toContain('opencti-gone')
  simulator.update(report.id, { labels: ['soc', 'again'] })
  await expect.poll(() => issuesOf(server, report)[0]?.labels, until).toEqual([labelOf(report)])
  expect(issuesOf(server, report)).toMatchObject([{ status: 'To Do' }])
})

test('without a transition to the status, a dead letter tells which there are', async () => {
  const { server } = await connected()
  const report = simulator.create(buildReport([]))
  await expect.poll(() => issuesOf(server, report), until).toHaveLength(1)
  server.move('SOC-1', 'In Review')
  simulator.delete(report.id)
  const error = async () => (await store.deadLetters({ limit: 1 }))[0]?.error
  await expect
    .poll(error, until)
    .toBe(`Jira has no transition for SOC-1 to Won't do from its present status, only: Finish (Done).`)
})

test('never opens a second issue when an answer is lost and the search does not show the first yet', async () => {
  const front = await Front.start()
  const { server, connector } = await connected({}, (target) => ({ JIRA_URL: front.to(target.url) }))
  front.loseIssue = true
  const report = simulator.create(buildReport([]))
  await expect.poll(() => connector.status().delivered, until).toBeGreaterThan(0)
  expect(front.loseIssue).toBe(false)
  expect(issuesOf(server, report)).toHaveLength(1)
})

test('never takes an issue for gone because the API token was revoked', async () => {
  const { server, connector } = await connected()
  const report = simulator.create(buildReport([]))
  await expect.poll(() => issuesOf(server, report), until).toHaveLength(1)
  server.revoke()
  simulator.delete(report.id)
  await expect.poll(() => connector.status().retries, until).toBeGreaterThan(1)
  server.revoke(0)
  await expect.poll(() => issuesOf(server, report)[0]?.status, until).toBe("Won't do")
})

test.for([1, 2, 3])('… not even if that was taken back after %i requests', async (requests) => {
  const { server, connector } = await connected()
  const report = simulator.create(buildReport([]))
  await expect.poll(() => connector.status().delivered, until).toBe(1)
  server.revoke(requests)
  simulator.update(report.id, { name: 'Renamed' })
  await expect.poll(() => connector.status().delivered, until).toBe(2)
  expect(issuesOf(server, report)).toMatchObject([{ fields: { summary: 'Renamed' } }])
  server.revoke(requests)
  simulator.delete(report.id)
  await expect.poll(() => connector.status().delivered, until).toBe(3)
  expect(issuesOf(server, report)).toMatchObject([{ status: "Won't do" }])
})

test('keeps to the limit that Jira sets, and gives nothing up', async () => {
  const { server, connector } = await connected({ perSecond: 3 })
  const reports = Array.from({ length: 10 }, (_, seed) => simulator.create(buildReport([], { seed })))
  await expect.poll(() => server.issues().size, until).toBe(10)
  await expect.poll(() => connector.status().inFlight, until).toBe(0)
  expect(reports.flatMap((report) => issuesOf(server, report))).toHaveLength(10)
  expect(connector.status()).toMatchObject({ deadLettered: 0, outage: undefined })
})

test('what is too long or does not fit is cut and cleaned, and taken then', async () => {
  const { server, connector } = await connected()
  const report = simulator.create(
    buildReport([], {
      name: `Line one\nline\u0000 two ${'🦊'.repeat(300)}`,
      description: `\n\n${'"é\u0000\n'.repeat(20_000)}`,
      labels: Array.from({ length: 300 }, (_, number) => `label ${number}`),
    }),
  )
  await expect
    .poll(() => issuesOf(server, report)[0]?.fields['summary'], until)
    .toMatch(/^Line one line two 🦊+…$/u)
  const { description } = issuesOf(server, report)[0]!.fields
  expect(JSON.stringify(description).length).toBeGreaterThan(30_000)
  expect(connector.status()).toMatchObject({ deadLettered: 0 })
})

test.for<[string, JiraServerOptions, Record<string, string>, RegExp]>([
  ['a wrong API token', {}, { JIRA_PASSWORD: 'wrong' }, /refuses the credentials\. Set JIRA_USERNAME/],
  ['a project that is not there', {}, { JIRA_PROJECT_KEY: 'NONE' }, /no project "NONE".*JIRA_PROJECT_KEY/],
  [
    'missing permissions',
    { lacks: ['EDIT_ISSUES', 'CREATE_ISSUES'] },
    {},
    /lacks these permissions in the project SOC: CREATE_ISSUES, EDIT_ISSUES/,
  ],
  [
    'an unknown issue type',
    {},
    { JIRA_ISSUE_TYPE: 'Epos' },
    /no issue type "Epos" \(JIRA_ISSUE_TYPE\), but Task/,
  ],
  [
    'a required field',
    { requiredFields: { customfield_10050: 'Impact' } },
    {},
    /need other fields: Impact \(customfield_10050\).*JIRA_FIELDS/,
  ],
  [
    'an unknown status',
    {},
    { JIRA_GONE_STATUS: 'Vanished' },
    /never have the status "Vanished" \(JIRA_GONE_STATUS\), but To Do/,
  ],
  [
    'nobody at the address',
    {},
    { JIRA_URL: 'http://127.0.0.1:9' },
    /network error: GET http:\/\/127\.0\.0\.1:9\//,
  ],
  ['an address of something else', {}, { JIRA_URL: 'SIMULATOR' }, /is not the address of a Jira Cloud site/],
])('check says in one line: %s', async ([, options, settings, line]) => {
  await using server = await startJira(options)
  const { JIRA_URL: url } = settings
  const connector = build(server, { ...settings, ...(url === 'SIMULATOR' && { JIRA_URL: simulator.url }) })
  const problem = await connector.check(AbortSignal.timeout(10_000)).catch((error: unknown) => String(error))
  expect(problem).toMatch(line)
  expect(problem).not.toContain('\n')
})

test('check finds nothing wrong where nothing is, with the fields that the project requires', async () => {
  await using server = await startJira({ requiredFields: { customfield_10050: 'Impact' } })
  const connector = build(server, { JIRA_FIELDS: '{"customfield_10050": {"value": "Low"}}' })
  await connector.check(AbortSignal.timeout(10_000))
})

/** A way to Jira on which the answer about a new issue is lost once. */
class Front {
  readonly #server: Server
  #target = ''
  loseIssue = false

  private constructor() {
    this.#server = createServer((request, response) => void this.#pass(request, response))
  }

  static async start(): Promise<Front> {
    const front = new Front()
    await once(front.#server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => {
      front.#server.closeAllConnections()
      front.#server.close()
    })
    return front
  }

  to(target: string): string {
    this.#target = target
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const body = await buffer(request)
    const answer = await fetch(`${this.#target}${url}`, {
      method,
      headers: { authorization: headers.authorization ?? '' },
      ...(body.length > 0 && { body }),
    })
    const text = await answer.text()
    const isLost = this.loseIssue && method === 'POST' && url.endsWith('/issue')
    if (isLost) {
      this.loseIssue = false
      response.destroy()
    } else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
  }
}
