import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** How a {@link Firewall} is started; everything has a default. */
export interface FirewallOptions {
  /** Port on which the connector serves its lists. Default: 0, a free one. */
  readonly port?: number
}

/** What a command left behind. */
export interface CommandResult {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

/** An address of the machine behind the firewall. */
const neighbor = '203.0.113.7'

/**
 * Starts a firewall on this machine.
 * @throws Error if nftables or curl is not installed, or the kernel allows no network of its own.
 */
export async function startFirewall({ port = 0 }: FirewallOptions = {}): Promise<Firewall> {
  const folder = await mkdtemp(join(tmpdir(), 'firewall-'))
  const firewall = new Firewall(folder, port === 0 ? await freePort() : port)
  await firewall.start()
  return firewall
}

/**
 * nftables in a network of its own, which has nothing but the address 203.0.113.7, and `pull.sh`, which fetches the lists from outside
 * of it.
 */
export class Firewall implements AsyncDisposable {
  readonly #folder: string
  readonly #port: number
  readonly #token = randomBytes(16).toString('hex')
  #network: ReturnType<typeof spawn> | undefined

  constructor(folder: string, port: number) {
    this.#folder = folder
    this.#port = port
  }

  /** The settings of the connector. */
  get env(): Record<string, string> {
    return {
      CONNECTOR_HEALTH_PORT: String(this.#port),
      CONNECTOR_LIST_TOKEN: this.#token,
      CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS: '500',
    }
  }

  async start(): Promise<void> {
    for (const [tool, has] of [
      ['nft', '--version'],
      ['curl', '--version'],
      ['ip', '-V'],
    ] as const) {
      const { code } = await run(tool, [has])
      if (code !== 0)
        throw new Error(`${tool} is not installed. Install it: apt-get install nftables curl iproute2`)
    }
    const isRoot = process.getuid?.() === 0
    // It ends when its input does, so with this process at the latest.
    const network = spawn(
      'unshare',
      [...(isRoot ? [] : ['--map-root-user']), '--net', 'sh', '-c', 'echo; exec cat'],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
    this.#network = network
    let problem = ''
    network.stderr.on('data', (text) => (problem += String(text)))
    await Promise.race([once(network.stdout, 'data'), once(network, 'close')])
    if (problem !== '')
      throw new Error(`This machine gives the firewall no network of its own: ${problem.trim()}`)
    await this.#inside('ip', ['link', 'set', 'lo', 'up'])
    await this.#inside('ip', ['address', 'add', `${neighbor}/32`, 'dev', 'lo'])
  }

  /** Fetches and loads the lists once. */
  pull(env: Record<string, string> = {}): Promise<CommandResult> {
    return run('sh', [fileURLToPath(new URL('./pull.sh', import.meta.url))], {
      PATH: process.env['PATH'],
      LISTS_URL: `http://127.0.0.1:${this.#port}/lists`,
      LISTS_TOKEN: this.#token,
      LISTS_DIR: this.#folder,
      NFT: ['nsenter', ...this.#entrance, 'nft'].join(' '),
      ...env,
    })
  }

  /** What the firewall blocks now, each address or range once. */
  async blocked(): Promise<string[]> {
    const sets = await Promise.all(['ipv4', 'ipv6'].map((set) => this.#elementsOf(set)))
    return sets.flat()
  }

  /** The same, after the lists have been fetched, if they can be. */
  async read(): Promise<Map<string, true>> {
    await this.pull()
    return new Map((await this.blocked()).map((address) => [address, true]))
  }

  async reset(): Promise<void> {
    await this.#inside('nft', ['flush', 'ruleset'])
  }

  /** Whether a connection to the address gets through. */
  async lets(address: string): Promise<boolean> {
    const { code } = await this.#inside('curl', ['--silent', '--max-time', '1', `http://${address}:9/`])
    // Nobody listens there: refused is an answer, and the other codes are none.
    return code === 7
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const network = this.#network
    if (network?.exitCode === null) {
      network.stdin!.end()
      await once(network, 'close')
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #entrance(): string[] {
    const isRoot = process.getuid?.() === 0
    return [
      ...(isRoot ? [] : ['--user', '--preserve-credentials']),
      '--net',
      '--target',
      String(this.#network!.pid),
    ]
  }

  #inside(command: string, parameters: readonly string[]): Promise<CommandResult> {
    return run('nsenter', [...this.#entrance, command, ...parameters])
  }

  async #elementsOf(set: string): Promise<string[]> {
    const { code, out } = await this.#inside('nft', ['--json', 'list', 'set', 'inet', 'opencti', set])
    if (code !== 0) return []
    const { nftables } = JSON.parse(out) as { nftables: { set?: { elem?: Element[] } }[] }
    return nftables.flatMap(({ set: each }) => each?.elem ?? []).map(textOf)
  }
}

type Element = string | { prefix: { addr: string; len: number } } | { range: [string, string] }

function textOf(element: Element): string {
  if (typeof element === 'string') return element
  return 'prefix' in element ? `${element.prefix.addr}/${element.prefix.len}` : element.range.join('-')
}

function run(
  command: string,
  parameters: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      command,
      parameters,
      { maxBuffer: 2 ** 28, ...(env !== undefined && { env }) },
      (failure, out, error) =>
        resolve({
          code: failure === null ? 0 : typeof failure.code === 'number' ? failure.code : null,
          out,
          error,
        }),
    )
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

if (process.argv[1] === import.meta.filename) {
  const firewall = await startFirewall({ port: 9500 })
  console.error(
    'The firewall fetches the lists every second. Stop it with Ctrl-C. The connector needs these settings:',
  )
  for (const [name, value] of Object.entries(firewall.env)) console.log(`export ${name}='${value}'`)
  for (let before = ''; ; await setTimeout(1000)) {
    const blocked = [...(await firewall.read()).keys()].toSorted().join(' ')
    if (blocked !== before) console.error(`blocked: ${blocked}`)
    before = blocked
  }
}
