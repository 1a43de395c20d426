import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Options of {@link startRsyslog}. */
export interface RsyslogOptions {
  /** Default: 0, a free port. */
  readonly port?: number
  /** Whether only clients with a certificate may send. Default: false. */
  readonly asksForCertificate?: boolean
  /** Library for TLS; `gtls` never answers the end of a connection. Default: `ossl`. */
  readonly driver?: 'ossl' | 'gtls'
}

const program = '/usr/sbin/rsyslogd'
const patienceMs = 10_000

/**
 * Starts rsyslog on 127.0.0.1 with TLS, in a temporary folder.
 *
 * @throws Error if it is not installed, or does not start.
 */
export async function startRsyslog(options: RsyslogOptions = {}): Promise<RsyslogServer> {
  if (!existsSync(program))
    throw new Error('rsyslog is not installed. Install it: apt-get install rsyslog rsyslog-openssl openssl')
  const folder = await mkdtemp(join(tmpdir(), 'rsyslog-'))
  await makeCertificates(folder)
  await writeFile(join(folder, 'messages'), '')
  const server = new RsyslogServer(folder, options)
  await server.start()
  return server
}

/** rsyslog as a process, which writes what it receives into a file. */
export class RsyslogServer implements AsyncDisposable {
  readonly name = 'rsyslog'
  readonly #folder: string
  readonly #options: RsyslogOptions
  #process: ChildProcess | undefined
  #port: number

  constructor(folder: string, options: RsyslogOptions) {
    this.#folder = folder
    this.#options = options
    this.#port = options.port ?? 0
  }

  /** Starts it, on the same port as before. */
  async start(): Promise<void> {
    const file = join(this.#folder, 'rsyslog.conf')
    const portFile = join(this.#folder, 'port')
    await writeFile(file, configuration(this.#folder, { ...this.#options, port: this.#port }))
    const words = ['--pdeathsig=KILL', program, '-n', '-f', file, '-i', join(this.#folder, 'pid')]
    const child = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
    const untilMs = Date.now() + patienceMs
    while (!(await isOpen(this.#port))) {
      if (child.exitCode !== null || Date.now() > untilMs) throw new Error(`rsyslog did not start: ${said}`)
      await delay(20)
      // It writes a port of its own choice into a file.
      if (this.#port === 0) this.#port = Number(await readFile(portFile, 'utf8').catch(() => 0))
    }
  }

  /** Ends it; with SIGTERM, as a restart of the service does. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running !== undefined && running.exitCode === null && running.kill(signal))
      await once(running, 'exit')
  }

  get url(): string {
    return `tls://127.0.0.1:${this.#port}`
  }

  /** The settings of a connector to it. */
  get env(): Record<string, string> {
    return { SYSLOG_URL: this.url, SYSLOG_SSL_CA: join(this.#folder, 'ca.pem') }
  }

  /** The settings of a client with a certificate. */
  get clientEnv(): Record<string, string> {
    return {
      SYSLOG_SSL_CERT: join(this.#folder, 'client.pem'),
      SYSLOG_SSL_KEY: join(this.#folder, 'client.key'),
    }
  }

  /** All messages that it has received, one a line, oldest first. */
  async messages(): Promise<string[]> {
    const text = await readFile(join(this.#folder, 'messages'), 'utf8')
    return text.split('\n').slice(0, -1)
  }

  /**
   * What the messages say about each entity that is there, by OpenCTI id: the newest message, without what belongs to the event.
   */
  async read(): Promise<Map<string, unknown>> {
    const contents = new Map<string, unknown>()
    for (const { id, action, content } of (await this.messages()).map(parseMessage)) {
      contents.delete(id)
      if (action !== 'delete') contents.set(id, content)
    }
    return contents
  }

  /** Forgets all messages. */
  async reset(): Promise<void> {
    await truncate(join(this.#folder, 'messages'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

/** A message, read back. */
export interface ParsedMessage {
  readonly priority: number
  readonly id: string
  readonly action: string
  readonly position: string
  readonly content: Readonly<Record<string, unknown>>
}

/** Reads a message as a SIEM does. @throws Error if it is not RFC 5424 with CEF or JSON. */
export function parseMessage(line: string): ParsedMessage {
  const header = /^<(\d+)>1 \S+ \S+ OpenCTI - \S+ \[opencti@\d+((?: \w+="(?:[^"\\\]]|\\.)*")*)\] (.*)$/.exec(
    line,
  )
  if (header === null) throw new Error(`This is not a message of RFC 5424: ${line}`)
  const [, priority, data = '', text = ''] = header
  const parameters = Object.fromEntries(
    [...data.matchAll(/ (\w+)="((?:[^"\\\]]|\\.)*)"/g)].map(([, name, value = '']) => [
      name,
      value.replaceAll(/\\(["\\\]])/g, '$1'),
    ]),
  ) as { id: string; action: string; position: string }
  const content: Record<string, unknown> = text.startsWith('CEF:')
    ? parseCef(text)
    : (JSON.parse(text) as Record<string, unknown>)
  // What belongs to the event and the sender, not to the entity.
  for (const name of ['rt', 'act', 'at', 'action', 'reason', 'deviceExternalId', 'sender'])
    delete content[name]
  return { priority: Number(priority), ...parameters, content }
}

/** Fields of a CEF message by key, or by label where there is one. */
function parseCef(text: string): Record<string, string> {
  const [, ...header] = /^CEF:0((?:\|(?:[^|\\]|\\[|\\])*){6})\|(.*)$/.exec(text) ?? []
  if (header.length < 2) throw new Error(`This is not CEF: ${text}`)
  const fields: Record<string, string> = {}
  const pairs = / ?(\w+)=((?:[^=\\]|\\[=\\nr])*?)(?= \w+=|$)/gy
  for (const [, key = '', value = ''] of header[1]!.matchAll(pairs))
    fields[key] = value.replaceAll(/\\([=\\nr])/g, (_, escaped: string) =>
      escaped === 'n' ? '\n' : escaped === 'r' ? '\r' : escaped,
    )
  for (const [key, label] of Object.entries(fields)) {
    const field = /^(\w+)Label$/.exec(key)?.[1]
    if (field === undefined) continue
    fields[label] = fields[field]!
    delete fields[key]
    delete fields[field]
  }
  return fields
}

/**
 * https://www.rsyslog.com/doc/configuration/modules/imtcp.html
 *
 * Without a queue, the thread that reads a message also writes it, before it answers the end of the connection. With one, rsyslog before
 * 8.2602 loses messages right after its start, or writes them into a connection: it closes each socket twice, and the second time that
 * can be the file, which another thread has just opened (https://github.com/rsyslog/rsyslog/pull/6375).
 */
function configuration(
  folder: string,
  { port = 0, asksForCertificate = false, driver = 'ossl' }: RsyslogOptions,
): string {
  return `global(
  workDirectory="${folder}"
  maxMessageSize="8k"
  DefaultNetstreamDriverCAFile="${folder}/ca.pem"
  DefaultNetstreamDriverCertFile="${folder}/server.pem"
  DefaultNetstreamDriverKeyFile="${folder}/server.key"
)
main_queue(queue.type="Direct")
module(
  load="imtcp"
  StreamDriver.Name="${driver}"
  StreamDriver.Mode="1"
  StreamDriver.AuthMode="${asksForCertificate ? 'x509/certvalid' : 'anon'}"
)
input(type="imtcp" address="127.0.0.1" port="${port}" listenPortFileName="${folder}/port")
template(name="received" type="string" string="%rawmsg%\\n")
action(type="omfile" file="${folder}/messages" template="received")
`
}

/** An authority, and certificates of a server on this machine and of a client. */
async function makeCertificates(folder: string): Promise<void> {
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc']
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=An authority')
  for (const name of ['server', 'client']) {
    const issue = [
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ]
    await openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-subj',
      `/CN=${name}`,
      ...issue,
    )
  }
}

if (process.argv[1] === import.meta.filename) {
  const { env } = await startRsyslog({ port: 6514 })
  console.error('rsyslog listens. Stop it with Ctrl-C. A connector to it needs these settings:')
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}='${value}'`)
}
