import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  type AdfNode,
  errors,
  fieldNames,
  isDocument,
  notADocument,
  refusalOf,
  textOf,
} from './refusal-of.ts'

/** How a {@link JiraServer} is started; everything has a default. */
export interface JiraServerOptions {
  /** Default: 0, a free port. */
  readonly port?: number
  /** How long a search does not show what was written, in milliseconds. Default: 2000. */
  readonly searchLagMs?: number
  /** Requests per second and endpoint. Default: 100. */
  readonly perSecond?: number
  /** Fields that the project requires besides its own, by id. Default: none. */
  readonly requiredFields?: Readonly<Record<string, string>>
  /** Permissions that the user does not have, such as `CREATE_ISSUES`. Default: none. */
  readonly lacks?: readonly string[]
}

/** An issue as it is kept. */
export interface JiraIssue {
  readonly id: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly labels: readonly string[]
  readonly status: string
  readonly comments: readonly string[]
}

type Answer = readonly [status: number, body?: unknown, headers?: Readonly<Record<string, string>>]

interface Sent {
  readonly fields?: Readonly<Record<string, unknown>>
  readonly update?: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>
  readonly body?: AdfNode
  readonly transition?: { readonly id?: string }
}

const statuses = new Map([
  ['To Do', 'new'],
  ['In Progress', 'indeterminate'],
  ['In Review', 'indeterminate'],
  ['Done', 'done'],
  ["Won't do", 'done'],
])

/** Where an issue can go depends on where it is. */
const transitions = [
  { id: '11', name: 'Start', from: ['To Do'], to: 'In Progress' },
  { id: '21', name: 'Review', from: ['In Progress'], to: 'In Review' },
  { id: '31', name: 'Finish', from: ['In Progress', 'In Review'], to: 'Done' },
  { id: '41', name: 'Drop', from: ['To Do', 'In Progress'], to: "Won't do" },
  { id: '51', name: 'Reopen', from: ['Done', "Won't do"], to: 'To Do' },
]

const gone: Answer = [404, errors(['Issue does not exist or you do not have permission to see it.'])]
const unauthorized: Answer = [
  401,
  errors(['You are not authenticated. Authentication required to perform this operation.']),
]

/** Starts a stand-in for Jira Cloud on 127.0.0.1. */
export async function startJira(options: JiraServerOptions = {}): Promise<JiraServer> {
  const server = new JiraServer(options)
  await server.listen(options.port ?? 0)
  return server
}

/**
 * A part of Jira Cloud's REST API, version 3, with the rules that Atlassian documents
 * (https://developer.atlassian.com/cloud/jira/platform/rest/v3/) and those that its issue tracker confirms. It refuses what Jira
 * refuses, assigns the keys, and takes the same issue twice for two.
 */
export class JiraServer implements AsyncDisposable {
  readonly username = 'opencti@example.org'
  readonly password = 'an-api-token-for-trying-it'
  readonly #options: JiraServerOptions
  readonly #issues = new Map<string, JiraIssue>()
  /** What a search shows, and when it began to hold: newest last. */
  readonly #writes: { readonly atMs: number; readonly key: string; readonly issue: JiraIssue }[] = []
  readonly #rates = new Map<string, { second: number; count: number }>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #requests = 0
  #last = 0
  #revokedRequests = 0

  constructor(options: JiraServerOptions = {}) {
    this.#options = options
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
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

  /** The issues whose entity is there, by the label of the entity; of two for one entity, both. */
  async read(): Promise<Map<string, unknown[]>> {
    const read = new Map<string, unknown[]>()
    for (const { fields, labels, status } of this.#issues.values()) {
      const label = labels.find((each) => /^opencti-.*-/.test(each)) ?? ''
      if (labels.includes('opencti-gone')) continue
      read.set(label, [...(read.get(label) ?? []), { ...fields, isDone: statuses.get(status) === 'done' }])
    }
    return read
  }

  /** Forgets everything but which keys it has given. */
  async reset(): Promise<void> {
    this.#issues.clear()
    this.#writes.length = 0
  }

  /** Somebody revokes the API token, and takes that back after so many requests. */
  revoke(requests = Number.POSITIVE_INFINITY): void {
    this.#revokedRequests = requests
  }

  /** Somebody moves an issue. */
  move(key: string, status: string): void {
    this.#put(key, { ...this.#issues.get(key)!, status })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [status, body, headers] = await this.#answer(request)
      response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8', ...headers })
      response.end(body === undefined ? undefined : JSON.stringify(body))
    } catch {
      response.writeHead(400).end()
    }
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const body = await text(request)
    this.#requests++
    const { method = 'GET' } = request
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    const [, , , version, what = '', ...rest] = pathname.split('/')
    if (!pathname.startsWith('/rest/api/3/')) return [404, errors([`null for uri: ${pathname} (${version})`])]
    const limited = this.#limit(`${method} ${what} ${rest[1] ?? ''}`)
    if (limited !== undefined) return limited
    // Wrong credentials are nobody's: what anybody may ask is answered without them, and an issue that nobody may see is not there
    // (https://jira.atlassian.com/browse/JRACLOUD-93811, https://jira.atlassian.com/browse/JRACLOUD-94680).
    const known = Buffer.from(`${this.username}:${this.password}`).toString('base64')
    const isRevoked = this.#revokedRequests > 0 && this.#revokedRequests-- > 0
    const isKnown = !isRevoked && request.headers.authorization === `Basic ${known}`
    const sent = (body === '' ? {} : JSON.parse(body)) as Sent
    if (what === 'search') return this.#search(rest, isKnown, method === 'GET' ? searchParams : sent)
    if (what === 'myself') return isKnown ? [200, { emailAddress: this.username }] : unauthorized
    if (what === 'mypermissions') return isKnown ? this.#permissions(searchParams) : unauthorized
    if (what === 'project') return isKnown ? this.#project(rest) : noProject(rest[0])
    if (what !== 'issue') return [404]
    const [key, part] = rest
    if (key === 'createmeta') return isKnown ? this.#createMeta(rest) : unauthorized
    if (key === undefined) return isKnown ? this.#create(sent) : unauthorized
    const issue = isKnown ? this.#issues.get(key) : undefined
    if (issue === undefined) return gone
    if (part === 'comment' && method === 'POST') return this.#comment(key, issue, sent.body)
    if (part === 'transitions') return this.#transitions(key, issue, method, sent)
    if (part !== undefined) return [404]
    return method === 'PUT'
      ? this.#edit(key, issue, sent)
      : [200, { id: issue.id, key, fields: shownFields(issue) }]
  }

  /** https://developer.atlassian.com/cloud/jira/platform/rate-limiting/ */
  #limit(endpoint: string): Answer | undefined {
    const second = Math.floor(Date.now() / 1000)
    const { perSecond = 100 } = this.#options
    const rate = this.#rates.get(endpoint)
    const count = rate?.second === second ? rate.count + 1 : 1
    this.#rates.set(endpoint, { second, count })
    if (count <= perSecond) return undefined
    const headers = {
      'retry-after': '1',
      'x-ratelimit-limit': String(perSecond),
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': new Date((second + 1) * 1000).toISOString(),
      'ratelimit-reason': 'jira-burst-based',
    }
    return [429, errors(['Rate limit exceeded.']), headers]
  }

  /**
   * The former search is gone (410); this one shows what was written some time ago, in pages
   * (https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/). A query without a restriction is refused.
   */
  #search(rest: readonly string[], isKnown: boolean, params: URLSearchParams | Sent): Answer {
    if (rest[0] !== 'jql')
      return [
        410,
        errors(['The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.']),
      ]
    const all =
      params instanceof URLSearchParams ? Object.fromEntries(params) : (params as Record<string, unknown>)
    const jql = String(all['jql'] ?? '').replace(/\s*order by .*$/i, '')
    if (jql === '')
      return [
        400,
        errors([
          'Unbounded JQL queries are not allowed here. Please add a search restriction to your query.',
        ]),
      ]
    const label = /^labels = "([^"]+)"$/i.exec(jql)?.[1]
    if (label === undefined) return [400, errors([`The stand-in does not understand the query: ${jql}`])]
    const shownMs = Date.now() - (this.#options.searchLagMs ?? 2000)
    const shown = new Map(
      this.#writes.filter(({ atMs }) => atMs <= shownMs).map(({ key, issue }) => [key, issue]),
    )
    const found = isKnown ? [...shown].filter(([, { labels }]) => labels.includes(label)) : []
    const from = Number(all['nextPageToken'] ?? 0)
    const to = from + Number(all['maxResults'] ?? 50)
    const hasFields = all['fields'] !== undefined
    const issues = found
      .slice(from, to)
      .map(([key, issue]) =>
        hasFields ? { id: issue.id, key, fields: shownFields(issue) } : { id: issue.id },
      )
    const next = to < found.length ? { nextPageToken: String(to), isLast: false } : { isLast: true }
    return [200, { issues, ...next }]
  }

  #permissions(params: URLSearchParams): Answer {
    if (params.get('projectKey') !== 'SOC') return noProject(params.get('projectKey') ?? '')
    const names = (params.get('permissions') ?? '').split(',')
    const has = (name: string) => this.#options.lacks?.includes(name) !== true
    return [
      200,
      {
        permissions: Object.fromEntries(
          names.map((key) => [key, { key, name: key, havePermission: has(key) }]),
        ),
      },
    ]
  }

  #project([key, part]: readonly string[]): Answer {
    if (key !== 'SOC') return noProject(key)
    if (part !== 'statuses') return [200, { id: '10000', key }]
    return [200, [{ id: '10001', name: 'Task', statuses: [...statuses.keys()].map((name) => ({ name })) }]]
  }

  #createMeta([, project, , type]: readonly string[]): Answer {
    if (project !== 'SOC') return noProject(project)
    if (type === undefined)
      return [200, { issueTypes: [{ id: '10001', name: 'Task', subtask: false }], total: 1 }]
    const required = this.#options.requiredFields ?? {}
    const own = Object.entries(fieldNames).map(
      ([fieldId, name]) => [fieldId, name, ['summary', 'issuetype', 'project'].includes(fieldId)] as const,
    )
    const all = [...own, ...Object.entries(required).map(([fieldId, name]) => [fieldId, name, true] as const)]
    return [
      200,
      {
        fields: all.map(([fieldId, name, isRequired]) => ({
          fieldId,
          name,
          required: isRequired,
          hasDefaultValue: false,
        })),
      },
    ]
  }

  #create({ fields = {} }: Sent): Answer {
    if (this.#options.lacks?.includes('CREATE_ISSUES') === true)
      return [400, errors([], { pid: 'You do not have permission to create issues in this project.' })]
    const refusal = refusalOf(fields, this.#options.requiredFields, true)
    if (refusal !== undefined) return [400, refusal]
    const key = `SOC-${++this.#last}`
    const id = String(10_000 + this.#last)
    const { labels = [], project: _, issuetype: __, ...rest } = fields
    this.#put(key, { id, fields: rest, labels: labels as string[], status: 'To Do', comments: [] })
    return [201, { id, key, self: `${this.url}/rest/api/3/issue/${id}` }]
  }

  #edit(key: string, issue: JiraIssue, { fields = {}, update = {} }: Sent): Answer {
    const refusal = refusalOf(fields, this.#options.requiredFields, false)
    if (refusal !== undefined) return [400, refusal]
    const { labels = issue.labels, ...rest } = fields
    const left = new Set(labels as string[])
    for (const { add, remove } of update['labels'] ?? []) {
      if (add !== undefined) left.add(String(add))
      left.delete(String(remove))
    }
    const told = (update['comment'] ?? []).map(({ add }) => textOf((add as Sent).body))
    this.#put(key, {
      ...issue,
      fields: { ...issue.fields, ...rest },
      labels: [...left],
      comments: [...issue.comments, ...told],
    })
    return [204]
  }

  #comment(key: string, issue: JiraIssue, body: AdfNode | undefined): Answer {
    if (!isDocument(body)) return [400, errors([], { comment: notADocument })]
    this.#put(key, { ...issue, comments: [...issue.comments, textOf(body)] })
    return [201, {}]
  }

  #transitions(key: string, issue: JiraIssue, method: string, { transition }: Sent): Answer {
    const open = transitions.filter(({ from }) => from.includes(issue.status))
    if (method === 'GET')
      return [
        200,
        {
          transitions: open.map(({ id, name, to }) => ({
            id,
            name,
            to: { name: to, statusCategory: { key: statuses.get(to) } },
          })),
        },
      ]
    const taken = open.find(({ id }) => id === transition?.id)
    if (taken === undefined)
      return [400, errors([`It seems that you have tried to perform an illegal workflow operation.`])]
    this.#put(key, { ...issue, status: taken.to })
    return [204]
  }

  #put(key: string, issue: JiraIssue): void {
    this.#issues.set(key, issue)
    this.#writes.push({ atMs: Date.now(), key, issue })
  }
}

function noProject(key: string | undefined): Answer {
  return [404, errors([`No project could be found with key '${key}'.`])]
}

function shownFields({ fields, labels, status }: JiraIssue) {
  return { ...fields, labels, status: { name: status, statusCategory: { key: statuses.get(status) } } }
}

if (process.argv[1] === import.meta.filename) {
  const { env } = await startJira({ port: 4300 })
  console.error('The stand-in for Jira listens. Stop it with Ctrl-C. A connector to it needs these settings:')
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}='${value}'`)
}
