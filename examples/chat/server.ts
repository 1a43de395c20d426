import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** How {@link ChatServices} are started; everything has a default. */
export interface ChatServicesOptions {
  /** Default: 0, a free port. */
  readonly port?: number
  /** Messages a second that Slack takes in a channel. Default: 1. */
  readonly perSecond?: number
}

/** A piece of news, as people read it. */
export interface PostedNews {
  readonly channel: 'normal' | 'secure'
  /** Id of the entity, from the link. */
  readonly id: string
  /** What happened to what: `New Report`. */
  readonly heading: string
  readonly name: string
  /** Notes and text. */
  readonly details: string
}

/** Starts both on 127.0.0.1. */
export async function startChat(options: ChatServicesOptions = {}): Promise<ChatServices> {
  const services = new ChatServices(options.perSecond ?? 1)
  await services.listen(options.port ?? 0)
  return services
}

/** Slack takes short bursts. */
const burst = 3
const maxSlackSections = 50
const maxSectionCharacters = 3000
/** Not documented; what Slack refuses in fact (github.com/slackapi/bolt-js/issues/2509). */
const maxSlackCharacters = 13_200
const maxTeamsBytes = 28 * 1024

type Answer = readonly [status: number, body?: string, retryAfterSeconds?: number]

/**
 * Stand-ins for an incoming webhook of Slack, the normal channel, and one of Teams Workflows, the secure channel, with the limits
 * that they document: sizes, blocks, messages a second, and the answers to what they do not take.
 */
export class ChatServices implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #slackPath = `/services/T01/B01/${randomBytes(12).toString('hex')}`
  readonly #teamsPath = '/workflows/01/triggers/manual/paths/invoke'
  readonly #signature = randomBytes(12).toString('hex')
  readonly #perSecond: number
  #tokens = burst
  #filledAtMs = performance.now()
  #news: PostedNews[] = []
  #messages = 0
  #refused = 0

  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /** Without the paths of the webhooks. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The settings of a connector to them. */
  get env(): Record<string, string> {
    return this.envAt(this.url)
  }

  /** The same for a connector that reaches them elsewhere. */
  envAt(url: string): Record<string, string> {
    return {
      CHAT_NORMAL_SERVICE: 'slack',
      CHAT_NORMAL_URL: `${url}${this.#slackPath}`,
      CHAT_SECURE_SERVICE: 'teams',
      CHAT_SECURE_URL: `${url}${this.#teamsPath}?api-version=1&sig=${this.#signature}`,
    }
  }

  /** All news since the last reset, oldest first. */
  get news(): readonly PostedNews[] {
    return this.#news
  }

  /** Messages since the last reset. */
  get messages(): number {
    return this.#messages
  }

  /** Requests that were answered with 429. */
  get refused(): number {
    return this.#refused
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  /** What is known of each entity in each channel, by what was said last; nothing of what was withdrawn. */
  read(): Map<string, string> {
    return knownFrom(this.#news)
  }

  reset(): void {
    this.#news = []
    this.#messages = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    const isTeams = pathname === this.#teamsPath
    const [status, said = '', retryAfter] = isTeams
      ? this.#teams(body, searchParams.get('sig'))
      : this.#slack(body, pathname)
    response
      .writeHead(status, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) })
      .end(said)
  }

  /** docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, "Handling errors" */
  #slack(body: string, pathname: string): Answer {
    if (!pathname.startsWith('/services/')) return [404]
    if (pathname !== this.#slackPath) return [404, 'no_service']
    const message = objectIn(body) as { text?: string; blocks?: SlackBlock[] } | undefined
    if (message === undefined) return [400, 'invalid_payload']
    const { text: fallback = '', blocks = [] } = message
    if (fallback === '' && blocks.length === 0) return [400, 'no_text']
    const texts = blocks.map((block) => block.text.text)
    if (blocks.length > maxSlackSections) return [400, 'invalid_blocks']
    if (texts.some((each) => each.length > maxSectionCharacters)) return [400, 'invalid_blocks']
    if (JSON.stringify(blocks).length > maxSlackCharacters) return [400, 'msg_blocks_too_long']
    const waitMs = this.#waitMs()
    if (waitMs > 0) return [429, 'rate_limited', Math.ceil(waitMs / 1000)]
    this.#take(texts.map(newsOfSlack))
    return [200, 'ok']
  }

  #teams(body: string, signature: string | null): Answer {
    if (signature !== this.#signature) return [401, '{"error":{"code":"DirectApiAuthorizationRequired"}}']
    if (Buffer.byteLength(body) > maxTeamsBytes) return [413, 'Request Entity too large']
    const message = objectIn(body) as { type?: string; attachments?: Attachment[] } | undefined
    const [attachment] = message?.attachments ?? []
    if (message?.type !== 'message' || attachment?.contentType !== 'application/vnd.microsoft.card.adaptive')
      return [400, '{"error":{"code":"TriggerInputSchemaMismatch"}}']
    this.#take(attachment.content.body.map(newsOfTeams))
    return [202]
  }

  #take(news: readonly PostedNews[]): void {
    this.#news.push(...news)
    this.#messages++
  }

  #waitMs(): number {
    const nowMs = performance.now()
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond)
    this.#filledAtMs = nowMs
    if (this.#tokens < 1) {
      this.#refused++
      return ((1 - this.#tokens) / this.#perSecond) * 1000
    }
    this.#tokens--
    return 0
  }
}

interface SlackBlock {
  readonly text: { readonly text: string }
}

interface Attachment {
  readonly contentType: string
  readonly content: { readonly body: readonly TeamsBlock[] }
}

interface TeamsBlock {
  readonly inlines: readonly { readonly text: string; readonly selectAction?: { readonly url: string } }[]
}

function newsOfSlack(shown: string): PostedNews {
  const [, heading, url, name, details] = /^\*(.*?)\* <(\S+?)\|(.*?)> (.*)$/s.exec(shown)!
  return {
    channel: 'normal',
    id: idIn(url!),
    heading: shownBySlack(heading!),
    name: shownBySlack(name!),
    details: shownBySlack(details!),
  }
}

const shownBySlack = (escaped: string) =>
  escaped.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

function newsOfTeams({ inlines }: TeamsBlock): PostedNews {
  const [heading, name, details] = inlines
  return {
    channel: 'secure',
    id: idIn(name!.selectAction!.url),
    heading: heading!.text.trim(),
    name: name!.text,
    details: details!.text.trim(),
  }
}

export const idIn = (url: string): string => url.split('/').at(-1)!

/** What the newest news say, by channel and entity. */
export function knownFrom(all: Iterable<PostedNews>): Map<string, string> {
  const known = new Map<string, string>()
  for (const { channel, id, heading, name, details } of all) {
    const key = `${channel} ${id}`
    if (heading.startsWith('Withdrawn')) known.delete(key)
    else known.set(key, `${heading.replace(/^\w+ /, '')} ${name} ${details}`)
  }
  return known
}

function objectIn(body: string): object | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

if (process.argv[1] === import.meta.filename) {
  const services = await startChat({ port: 4600 })
  console.error('Slack and Teams listen. Stop it with Ctrl-C. A connector to them needs these settings:')
  for (const [name, value] of Object.entries(services.env)) console.log(`export ${name}='${value}'`)
  for (let shown = 0; ; await new Promise((resolve) => setTimeout(resolve, 500)))
    for (; shown < services.news.length; shown++) {
      const { channel, heading, name, details } = services.news[shown]!
      console.error(`#${channel}  ${heading} ${name} ${details}`)
    }
}
