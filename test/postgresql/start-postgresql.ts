import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { type Pair } from '../fixtures/certificates.ts'

const run = promisify(execFile)
const password = 'sesame-4711'

/** A real PostgreSQL in a temporary folder, which can be stopped, killed, frozen, and started again. */
export class PostgresqlServer implements AsyncDisposable {
  readonly port: number
  readonly #folder: string
  readonly #programs: string
  readonly #user: { uid: number; gid: number } | undefined
  #process: ChildProcess | undefined

  readonly #syncs: boolean

  private constructor(
    folder: string,
    programs: string,
    port: number,
    user: PostgresqlServer['user'],
    syncs: boolean,
  ) {
    this.#syncs = syncs
    this.#folder = folder
    this.#programs = programs
    this.#user = user
    this.port = port
  }

  get user(): { uid: number; gid: number } | undefined {
    return this.#user
  }

  /** @param options.syncs whether it writes each commit to the disk, as in production; otherwise it is faster. */
  static async start({ syncs = false } = {}): Promise<PostgresqlServer> {
    const programs = programFolder()!
    const user = serverUser()
    const folder = await mkdtemp(join(tmpdir(), 'postgresql-'))
    await writeFile(join(folder, 'password'), password)
    if (user !== undefined)
      for (const path of [folder, join(folder, 'password')]) await chown(path, user.uid, user.gid)
    const cluster = '-D data -U admin --pwfile=password -A scram-sha-256 -E UTF8 --no-locale --no-sync'
    await run(join(programs, 'initdb'), cluster.split(' '), { cwd: folder, ...user })
    const server = new PostgresqlServer(folder, programs, await freePort(), user, syncs)
    await server.resume()
    await server.admin("CREATE ROLE connectors LOGIN PASSWORD 'p@ss/w0rd'")
    return server
  }

  /** An empty database with its own name, and the address of it for the connector. */
  async database(): Promise<string> {
    const name = `state_${Math.random().toString(36).slice(2)}`
    await this.admin(`CREATE DATABASE ${name} OWNER connectors`)
    return this.urlOf(name)
  }

  urlOf(database: string, port = this.port): string {
    return `postgres://connectors:p%40ss%2Fw0rd@127.0.0.1:${port}/${database}`
  }

  /** Runs SQL as the administrator. */
  async admin(sql: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const client = new Client({ host: '127.0.0.1', port: this.port, user: 'admin', password, database })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }

  /** From its next start on, it speaks TLS with this certificate, and nothing else over the network. */
  async requireTls({ cert, key }: Pair): Promise<void> {
    const data = join(this.#folder, 'data')
    await writeFile(join(data, 'server.crt'), cert)
    await writeFile(join(data, 'server.key'), key, { mode: 0o600 })
    await writeFile(join(data, 'postgresql.auto.conf'), 'ssl = on\n')
    await writeFile(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n')
    const owned = ['server.crt', 'server.key', 'postgresql.auto.conf', 'pg_hba.conf']
    if (this.#user !== undefined)
      for (const name of owned) await chown(join(data, name), this.#user.uid, this.#user.gid)
  }

  /** Starts it, or starts it again on the same data. */
  async resume(): Promise<void> {
    const set = [
      `port=${this.port}`,
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      `fsync=${this.#syncs ? 'on' : 'off'}`,
    ]
    const server = spawn(
      join(this.#programs, 'postgres'),
      ['-D', 'data', ...set.flatMap((each) => ['-c', each])],
      {
        cwd: this.#folder,
        ...this.#user,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    this.#process = server
    let log = ''
    server.stderr.setEncoding('utf8').on('data', (text: string) => (log = `${log}${text}`.slice(-5000)))
    while (!log.includes('ready to accept connections')) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL has not started: ${log}`)
      await sleep(20)
    }
  }

  /** Stops it: SIGINT as an administrator does, SIGQUIT as a crash. */
  async stop(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const server = this.#process
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill(signal)
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Whether to run the tests that need PostgreSQL: it is installed, or has to be. */
export const hasPostgresql = programFolder() !== undefined || process.env['POSTGRESQL_TESTS'] === 'required'

function programFolder(): string | undefined {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return undefined
  const newest = readdirSync(root)
    .toSorted((one, other) => Number(one) - Number(other))
    .at(-1)
  return newest === undefined ? undefined : join(root, newest, 'bin')
}

/** PostgreSQL refuses to run as root: it then runs as the user of Debian's package. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')!
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

async function freePort(): Promise<number> {
  await using server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
