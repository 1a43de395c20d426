import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

/** Options of {@link startOpenSearch}. */
export interface OpenSearchServerOptions {
  /** Default: 0, a free port. */
  readonly port?: number
}

/** Document of a search hit. */
interface Hit {
  readonly _id: string
  readonly _source: unknown
  readonly sort: unknown[]
}

const version = '2.19.6'
const index = 'opencti-indicators'
const pageSize = 1000

/** Where `install.sh` puts the jars. */
const home = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'opencti-stream-connector',
  `opensearch-${version}`,
)

/**
 * Starts OpenSearch on 127.0.0.1, in a temporary folder.
 *
 * @throws Error if it is not installed, or does not start.
 */
export async function startOpenSearch({ port = 0 }: OpenSearchServerOptions = {}): Promise<OpenSearchServer> {
  if (!existsSync(home))
    throw new Error(
      'OpenSearch is not installed. Install it: apt-get install maven openjdk-17-jre-headless, then ./install.sh',
    )
  const folder = await mkdtemp(join(tmpdir(), 'opensearch-'))
  await prepare(folder, port)
  const child = run(folder)
  try {
    return new OpenSearchServer(child, folder, await addressOf(child))
  } catch (error) {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** OpenSearch as a process. */
export class OpenSearchServer implements AsyncDisposable {
  readonly name = `OpenSearch ${version}`
  readonly url: string
  readonly #process: ChildProcess
  readonly #folder: string

  constructor(process: ChildProcess, folder: string, url: string) {
    this.#process = process
    this.#folder = folder
    this.url = url
  }

  /** The settings of a connector to it. */
  get env(): Record<string, string> {
    return { OPENSEARCH_URL: this.url }
  }

  /** All documents, by id. */
  async read(): Promise<Map<string, unknown>> {
    const documents = new Map<string, unknown>()
    const refreshed = await fetch(`${this.url}/${index}/_refresh`, { method: 'POST' })
    if (refreshed.status === 404) return documents
    for (let after: unknown[] | undefined; ;) {
      const page = await this.request('POST', `${index}/_search`, {
        size: pageSize,
        sort: [{ 'opencti.id': 'asc' }],
        ...(after === undefined ? {} : { search_after: after }),
      })
      const { hits } = (page as { hits: { hits: Hit[] } }).hits
      for (const { _id, _source } of hits) documents.set(_id, _source)
      if (hits.length < pageSize) return documents
      after = hits.at(-1)!.sort
    }
  }

  /** Deletes the index. */
  async reset(): Promise<void> {
    await this.request('DELETE', `${index}?ignore_unavailable=true`)
  }

  /** One request; its answer. @throws Error for a status of 400 or more. */
  async request(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    if (this.#process.exitCode === null && this.#process.kill('SIGKILL')) await ended
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** OpenSearch refuses to run as root. */
const isRoot = process.getuid?.() === 0

async function prepare(folder: string, port: number): Promise<void> {
  await cp(home, folder, { recursive: true })
  await Promise.all(['data', 'logs', 'tmp'].map((name) => mkdir(join(folder, name))))
  const settings = {
    'discovery.type': 'single-node',
    'network.host': '127.0.0.1',
    'http.port': port,
    'transport.port': 0,
    'path.data': join(folder, 'data'),
    'path.logs': join(folder, 'logs'),
    // A full disk would make every index read-only.
    'cluster.routing.allocation.disk.threshold_enabled': false,
    'bootstrap.system_call_filter': false,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}: ${value}\n`)
  await writeFile(join(folder, 'config/opensearch.yml'), lines.join(''))
  await writeFile(
    join(folder, 'config/log4j2.properties'),
    `appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`,
  )
  if (!isRoot) return
  const { stdout } = await promisify(execFile)('id', ['-u', 'nobody'])
  for (const name of ['', 'config', 'data', 'logs', 'tmp'])
    await chown(join(folder, name), Number(stdout), -1)
}

function run(folder: string): ChildProcess {
  const java = [
    'java',
    '-Xms512m',
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.security.manager=allow',
    '-Dlog4j2.disable.jmx=true',
    `-Djava.io.tmpdir=${join(folder, 'tmp')}`,
    `-Dopensearch.path.home=${folder}`,
    `-Dopensearch.path.conf=${join(folder, 'config')}`,
    '-cp',
    join(folder, 'lib/*'),
    'org.opensearch.bootstrap.OpenSearch',
  ]
  const nobody = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', '--pdeathsig=KILL']
  const [command, ...args] = isRoot ? [...nobody, ...java] : java
  return spawn(command!, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Waits until OpenSearch says that it is there. */
async function addressOf(child: ChildProcess): Promise<string> {
  let said = ''
  let address: string | undefined
  child.stderr!.on('data', (piece) => (said += piece))
  child.once('error', (error) => (said += error.message))
  for await (const line of createInterface(child.stdout!)) {
    said = `${said}${line}\n`.slice(-4000)
    address ??= /HttpServerTransport publish_address \{(\S+)\}/.exec(line)?.[1]
    if (address === undefined || !line.endsWith(' started')) continue
    child.stdout!.resume()
    return `http://${address}`
  }
  throw new Error(`OpenSearch did not start: ${said}`)
}

if (process.argv[1] === import.meta.filename) {
  const { env } = await startOpenSearch({ port: 9200 })
  console.error('OpenSearch listens. Stop it with Ctrl-C. A connector to it needs these settings:')
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}='${value}'`)
}
