import { spawn } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { idIn, knownFrom, type PostedNews } from './server.ts'

/** How {@link Synapse} is started; everything has a default. */
export interface SynapseOptions {
  /** Messages a second that it takes from a user. Default: as Synapse comes, 0.2 after a burst of 10. */
  readonly perSecond?: number
}

/**
 * Starts Synapse on 127.0.0.1, in a temporary folder, with a user and two rooms.
 * @throws Error if it is not installed, or does not start.
 */
export async function startSynapse({ perSecond = 0.2 }: SynapseOptions = {}): Promise<Synapse> {
  const synapse = new Synapse(await mkdtemp(join(tmpdir(), 'synapse-')), await freePort())
  await synapse.start(perSecond)
  return synapse
}

const channels = ['normal', 'secure'] as const

/** A real Matrix homeserver. */
export class Synapse implements AsyncDisposable {
  readonly #folder: string
  readonly #port: number
  readonly #shared = randomBytes(16).toString('hex')
  readonly #rooms = new Map<string, string>()
  /** Where the news of a room begin, since the last reset. */
  readonly #begin = new Map<string, string>()
  #token = ''
  #child: ReturnType<typeof spawn> | undefined
  #ended: Promise<unknown> = Promise.resolve()

  constructor(folder: string, port: number) {
    this.#folder = folder
    this.#port = port
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** The settings of a connector to it. */
  get env(): Record<string, string> {
    const env: Record<string, string> = {}
    for (const channel of channels) {
      const name = `CHAT_${channel.toUpperCase()}`
      env[`${name}_SERVICE`] = 'matrix'
      env[`${name}_URL`] = this.url
      env[`${name}_TOKEN`] = this.#token
      env[`${name}_ROOM`] = this.#rooms.get(channel)!
    }
    return env
  }

  async start(perSecond: number): Promise<void> {
    const file = (name: string) => join(this.#folder, name)
    await writeFile(file('log.yaml'), 'version: 1\n')
    await writeFile(file('homeserver.yaml'), JSON.stringify(this.#configuration(perSecond)), { mode: 0o600 })
    let said = ''
    const run = (...words: string[]) => {
      const child = spawn('synapse_homeserver', ['-c', file('homeserver.yaml'), ...words], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-10_000)))
      child.on('error', () => (said = 'Synapse is not installed. Install it: pip install matrix-synapse'))
      return child
    }
    const keys = run('--generate-keys')
    await once(keys, 'close').catch(() => {})
    if (keys.exitCode !== 0) throw new Error(said)
    this.#child = run()
    this.#ended = once(this.#child, 'close')
    while (!(await this.#isUp())) {
      if (this.#child.exitCode !== null) throw new Error(said)
      await setTimeout(100)
    }
    await this.#register()
    for (const channel of channels) {
      const { room_id: room } = (await this.#ask('POST', 'createRoom', {})) as { room_id: string }
      this.#rooms.set(channel, room)
    }
    await this.reset()
  }

  /** All news since the last reset, oldest first in each channel. */
  async news(): Promise<PostedNews[]> {
    const news: PostedNews[] = []
    for (const channel of channels)
      for (let from = this.#begin.get(channel); from !== undefined;) {
        const { chunk, end } = await this.#page(channel, from)
        from = end
        for (const { content } of chunk)
          if (content.msgtype === 'm.notice') news.push(newsOf(channel, content.body))
      }
    return news
  }

  async read(): Promise<Map<string, string>> {
    return knownFrom(await this.news())
  }

  /** Forgets what was said so far; Matrix itself forgets nothing. */
  async reset(): Promise<void> {
    for (const channel of channels) {
      const path = `rooms/${encodeURIComponent(this.#rooms.get(channel)!)}/messages?dir=b&limit=1`
      const { start } = (await this.#ask('GET', path)) as Page
      this.#begin.set(channel, start)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.kill()
    await this.#ended
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #page(channel: string, from: string): Promise<Page> {
    const room = encodeURIComponent(this.#rooms.get(channel)!)
    return (await this.#ask(
      'GET',
      `rooms/${room}/messages?dir=f&limit=500&from=${encodeURIComponent(from)}`,
    )) as Page
  }

  #configuration(perSecond: number): object {
    const plenty = { per_second: 1000, burst_count: 1000 }
    return {
      server_name: 'localhost',
      listeners: [
        { port: this.#port, type: 'http', bind_addresses: ['127.0.0.1'], resources: [{ names: ['client'] }] },
      ],
      database: { name: 'sqlite3', args: { database: join(this.#folder, 'synapse.sqlite') } },
      media_store_path: join(this.#folder, 'media'),
      signing_key_path: join(this.#folder, 'signing.key'),
      log_config: join(this.#folder, 'log.yaml'),
      pid_file: join(this.#folder, 'pid'),
      registration_shared_secret: this.#shared,
      macaroon_secret_key: this.#shared,
      form_secret: this.#shared,
      report_stats: false,
      trusted_key_servers: [],
      rc_message: perSecond > 1 ? plenty : { per_second: perSecond, burst_count: 10 },
      rc_room_creation: plenty,
    }
  }

  async #isUp(): Promise<boolean> {
    return fetch(`${this.url}/_matrix/client/versions`).then(
      (answer) => answer.ok,
      () => false,
    )
  }

  /** With the shared secret (Synapse, "Shared-Secret Registration"). */
  async #register(): Promise<void> {
    const url = `${this.url}/_synapse/admin/v1/register`
    const { nonce } = (await (await fetch(url)).json()) as { nonce: string }
    const user = ['opencti', randomBytes(16).toString('hex')] as const
    const mac = createHmac('sha1', this.#shared)
      .update([nonce, ...user, 'notadmin'].join('\0'))
      .digest('hex')
    const body = JSON.stringify({ nonce, username: user[0], password: user[1], admin: false, mac })
    const answer = await fetch(url, { method: 'POST', body })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    this.#token = token
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${this.url}/_matrix/client/v3/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
}

interface Page {
  readonly start: string
  readonly end?: string
  readonly chunk: readonly { readonly content: { readonly msgtype?: string; readonly body: string } }[]
}

function newsOf(channel: 'normal' | 'secure', body: string): PostedNews {
  const lines = body.split('\n')
  const [, heading, rest] = /^((?:Withdrawn \(\S+\)|\w+) \S+) (.*)$/.exec(lines[0]!)!
  return { channel, id: idIn(lines.at(-1)!), heading: heading!, name: rest!, details: lines[1]! }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

if (process.argv[1] === import.meta.filename) {
  const synapse = await startSynapse()
  console.error(
    `Synapse listens at ${synapse.url}. Stop it with Ctrl-C. A connector to it needs these settings:`,
  )
  for (const [name, value] of Object.entries(synapse.env)) console.log(`export ${name}='${value}'`)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void synapse[Symbol.asyncDispose]())
}
