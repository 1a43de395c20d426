import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** How a {@link JiraServer} is started; everything has a default. */
export interface JiraServerOptions {
  /** Default: 0, a free port. */
  readonly port?: number
}

/** An issue as it is kept. */
export interface JiraIssue {
  readonly summary: string
  readonly description?: string
  readonly labels: readonly string[]
  readonly comments: readonly string[]
}

type Answer = readonly [status: number, body?: unknown]

const gone: Answer = [
  404,
  { errorMessages: ['Issue does not exist or you do not have permission to see it.'] },
]

/** Starts a stand-in for Jira on 127.0.0.1. */
export async function startJira({ port = 0 }: JiraServerOptions = {}): Promise<JiraServer> {
  const server = new JiraServer()
  await server.listen(port)
  return server
}

/**
 * A part of Jira's REST API, version 2, with its rules: it gives the keys, and takes the same issue twice for two. A summary is
 * asked for, of one line and at most 255 characters; a label holds no space (400). A search knows `labels = "…"` alone.
 */
export class JiraServer implements AsyncDisposable {
  readonly username = 'opencti'
  readonly password = 'a-password-for-trying-it'
  readonly #issues = new Map<string, JiraIssue>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #requests = 0
  #last = 0

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/rest/api/2`
  }

  /** The settings of a connector to it. */
  get env(): Record<string, string> {
    return {
      JIRA_URL: this.url,
      JIRA_USERNAME: this.username,
      JIRA_PASSWORD: this.password,
      JIRA_PROJECT_KEY: 'SOC',
    }
  }

  /** Requests that were answered. */
  get requests(): number {
    return this.#requests
  }

  /** All issues, by key. */
  issues(): ReadonlyMap<string, JiraIssue> {
    return this.#issues
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  /** The issues by their labels, as a test compares them. */
  async read(): Promise<ReadonlyMap<string, JiraIssue>> {
    return new Map([...this.#issues.values()].map((issue) => [issue.labels.join(), issue]))
  }

  /** Forgets everything. */
  async reset(): Promise<void> {
    this.#issues.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [status, body] = await this.#answer(request)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body === undefined ? undefined : JSON.stringify(body))
    } catch {
      response.writeHead(400).end()
    }
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const body = await text(request)
    this.#requests++
    const known = Buffer.from(`${this.username}:${this.password}`).toString('base64')
    if (request.headers.authorization !== `Basic ${known}`) return [401]
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    const [, , , , what, key = '', part] = pathname.split('/')
    if (what === 'search' && request.method === 'GET') return this.#search(searchParams.get('jql') ?? '')
    if (what !== 'issue') return [404]
    const sent = JSON.parse(body) as { fields?: JiraIssue; body?: string }
    if (request.method === 'POST' && key === '') return this.#create(sent.fields)
    const issue = this.#issues.get(key)
    if (issue === undefined) return gone
    if (request.method === 'POST' && part === 'comment') {
      this.#issues.set(key, { ...issue, comments: [...issue.comments, sent.body ?? ''] })
      return [201, {}]
    }
    const problem = problemOf(sent.fields)
    if (request.method !== 'PUT' || problem !== undefined) return [400, { errorMessages: [problem] }]
    this.#issues.set(key, { ...issue, ...sent.fields })
    return [204]
  }

  #search(jql: string): Answer {
    const label = /^labels = "([^"]+)"$/.exec(jql)?.[1]
    if (label === undefined) return [400, { errorMessages: ['The query is not understood here.'] }]
    const keys = [...this.#issues].filter(([, { labels }]) => labels.includes(label)).map(([key]) => key)
    return [200, { issues: keys.map((key) => ({ key })) }]
  }

  #create(fields: JiraIssue | undefined): Answer {
    const problem = problemOf(fields)
    if (problem !== undefined) return [400, { errorMessages: [problem] }]
    const key = `SOC-${++this.#last}`
    this.#issues.set(key, { ...fields!, comments: [] })
    return [201, { id: String(10_000 + this.#last), key }]
  }
}

function problemOf(fields: JiraIssue | undefined): string | undefined {
  const { summary, labels } = fields ?? {}
  if (summary === undefined || summary === '') return 'You must specify a summary of the issue.'
  if (summary.includes('\n')) return 'The summary is invalid because it contains newline characters.'
  if (summary.length > 255) return 'Summary must be less than 255 characters.'
  return labels?.some((label) => label.includes(' ')) ? 'A label must not contain spaces.' : undefined
}

if (import.meta.main) {
  const { env } = await startJira({ port: 4300 })
  console.error('The stand-in for Jira listens. Stop it with Ctrl-C. A connector to it needs these settings:')
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}='${value}'`)
}
