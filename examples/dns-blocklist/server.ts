import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

/** How a {@link NameServer} is started; everything has a default. */
export interface NameServerOptions {
  /** Default: 0, a free port. */
  readonly port?: number
}

const zone = 'rpz.example'
const key = { name: 'opencti', secret: randomBytes(32).toString('base64') }
const otherKey = { name: 'somebody-else', secret: randomBytes(32).toString('base64') }

/**
 * Starts BIND on 127.0.0.1, in a temporary folder.
 * @throws Error if it is not installed, or does not start.
 */
export async function startNameServer({ port = 0 }: NameServerOptions = {}): Promise<NameServer> {
  const folder = await mkdtemp(join(tmpdir(), 'named-'))
  const server = new NameServer(folder, port === 0 ? await freePort() : port)
  await server.start()
  return server
}

/**
 * BIND as a resolver that obeys the policy zone `rpz.example`, and has names under `example` to ask for: any name is
 * 192.0.2.80, and `cnc.example` is 203.0.113.7. The zone `fixed.example` takes no updates.
 */
export class NameServer implements AsyncDisposable {
  readonly port: number
  /** A key that the server knows, and that may change no zone. */
  readonly otherKey = otherKey
  readonly #folder: string
  #child: ReturnType<typeof spawn> | undefined
  #ended: Promise<unknown> = Promise.resolve()

  constructor(folder: string, port: number) {
    this.#folder = folder
    this.port = port
  }

  /** What `DNS_SERVER` is set to. */
  get url(): string {
    return `dns://127.0.0.1:${this.port}`
  }

  /** The settings of the connector. */
  get env(): Record<string, string> {
    return { DNS_SERVER: this.url, DNS_ZONE: zone, DNS_KEY_NAME: key.name, DNS_KEY_SECRET: key.secret }
  }

  async start(): Promise<void> {
    const file = (name: string) => join(this.#folder, name)
    await writeFile(file('named.conf'), configuration(this.#folder, this.port), { mode: 0o600 })
    for (const name of ['rpz', 'fixed', 'root']) await writeFile(file(`${name}.zone`), emptyZone)
    await writeFile(file('example.zone'), `${emptyZone}${names}`)
    const child = spawn('named', ['-g', '-c', file('named.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    let log = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-100_000)))
    const failure = new Promise<Error>((resolve) => {
      child.on('error', (cause) => resolve(new Error(notInstalled, { cause })))
      child.on('exit', (code) => resolve(new Error(`named ended with code ${code}:\n${log}`)))
    })
    this.#ended = failure
    while (!/ running\r?\n/.test(log)) {
      const failed = await Promise.race([failure, setTimeout(20)])
      if (failed === undefined) continue
      await rm(this.#folder, { recursive: true, force: true })
      throw failed
    }
  }

  /** The records of the policy zone, by name. */
  async read(): Promise<Map<string, string>> {
    const transfer = await this.#dig([
      zone,
      'AXFR',
      '+noall',
      '+answer',
      '-y',
      `hmac-sha256:${key.name}:${key.secret}`,
    ])
    const records = transfer.split('\n').map((line) => line.split(/\s+/))
    const blocked = records.filter(([, , , type]) => type === 'CNAME')
    return new Map(blocked.map(([name, , , , target]) => [name!, target!]))
  }

  /** Empties the policy zone. */
  async reset(): Promise<void> {
    const left = [...(await this.read()).keys()]
    while (left.length > 0) await this.update(left.splice(0, 200).map((name) => `update delete ${name}`))
  }

  /** Changes the policy zone past the connector, with lines as `nsupdate` takes them. */
  async update(lines: readonly string[]): Promise<void> {
    const head = [
      `server 127.0.0.1 ${this.port}`,
      `zone ${zone}`,
      `key hmac-sha256:${key.name} ${key.secret}`,
    ]
    await run('nsupdate', ['-v'], `${[...head, ...lines, 'send'].join('\n')}\n`)
  }

  /** What the server tells its users about a name: the addresses, or a status such as NXDOMAIN. */
  async ask(name: string): Promise<string> {
    const answer = await this.#dig([name, 'A'])
    const addresses = [...answer.matchAll(/\sIN\s+A[ \t]+(\S+)/g)].map(([, address]) => address)
    return addresses.join(', ') || (/status: (\w+)/.exec(answer)?.[1] ?? 'no answer')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.kill()
    await this.#ended
    await rm(this.#folder, { recursive: true, force: true })
  }

  #dig(parameters: readonly string[]): Promise<string> {
    return run('dig', ['@127.0.0.1', '-p', String(this.port), ...parameters])
  }
}

const notInstalled = 'BIND is not installed. Install it: apt-get install bind9 bind9-dnsutils'

function configuration(folder: string, port: number): string {
  return `
key "${key.name}" { algorithm hmac-sha256; secret "${key.secret}"; };
key "${otherKey.name}" { algorithm hmac-sha256; secret "${otherKey.secret}"; };
options {
  directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  dnssec-validation no;
  allow-transfer { none; };
  notify no;
  response-policy { zone "${zone}"; } min-update-interval 0;
};
controls { };
zone "${zone}" {
  type primary;
  file "rpz.zone";
  allow-update { key ${key.name}; };
  allow-transfer { key ${key.name}; };
};
zone "fixed.example" { type primary; file "fixed.zone"; };
zone "example" { type primary; file "example.zone"; };
zone "." { type primary; file "root.zone"; };
`
}

const emptyZone = `$TTL 60
@ IN SOA localhost. hostmaster.localhost. 1 3600 600 604800 60
@ IN NS localhost.
`
const names = `* IN A 192.0.2.80
cnc IN A 203.0.113.7
`

function run(tool: string, parameters: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(tool, parameters, { maxBuffer: 2 ** 28 }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    )
    child.stdin!.end(input)
  })
}

/** Free for UDP and TCP, as far as one can know. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

if (process.argv[1] === import.meta.filename) {
  const server = await startNameServer({ port: 5300 })
  console.error(`The name server listens. Ask it: dig @127.0.0.1 -p ${server.port} evil.example`)
  console.error('Stop it with Ctrl-C. A connector to it needs these settings:')
  for (const [name, value] of Object.entries(server.env)) console.log(`export ${name}='${value}'`)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server[Symbol.asyncDispose]())
}
