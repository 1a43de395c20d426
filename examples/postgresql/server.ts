import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import postgres from 'postgres'

const run = promisify(execFile)

/** A real PostgreSQL in a temporary folder, with a database and a user for the connector. */
export interface PostgresServer extends AsyncDisposable {
  readonly version: string
  /** What `POSTGRESQL_URL` is set to. */
  readonly url: string
  readonly password: string
  /** The connector's settings. */
  readonly env: Readonly<Record<string, string>>
  /** The connector's database, as the administrator. */
  readonly sql: postgres.Sql
  /** What the tables hold, by table and id. */
  read(): Promise<Map<string, unknown>>
  /** Removes everything that the connector has created. */
  reset(): Promise<void>
}

/**
 * Starts PostgreSQL on a free port of 127.0.0.1.
 * @throws if it is not installed.
 */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = await programFolder()
  const user = await serverUser()
  const password = 'sesame-4711'
  const folder = await mkdtemp(join(tmpdir(), 'postgresql-'))
  await writeFile(join(folder, 'password'), password)
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  if (user !== undefined) await chown(join(folder, 'password'), user.uid, user.gid)
  const options = { cwd: folder, ...user }
  const cluster = '-D data -U admin --pwfile=password -A scram-sha-256 -E UTF8 --no-locale --no-sync'
  await run(join(programs, 'initdb'), cluster.split(' '), options)
  const port = await freePort()
  const set = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off']
  const server = spawn(join(programs, 'postgres'), ['-D', 'data', ...set.flatMap((each) => ['-c', each])], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => (log = `${log}${text}`.slice(-5000)))
  const exited = once(server, 'exit')
  while (!log.includes('ready to accept connections')) {
    if (server.exitCode !== null) throw new Error(`PostgreSQL has not started: ${log}`)
    await sleep(20)
  }
  const address = `127.0.0.1:${port}`
  const connect = (database: string) =>
    postgres(`postgres://admin@${address}/${database}`, { password, max: 2, onnotice: () => {} })
  const admin = connect('postgres')
  const [found] = await admin<[{ server_version: string }]>`SHOW server_version`
  await admin.unsafe(`CREATE ROLE opencti LOGIN PASSWORD '${password}'`)
  await admin.unsafe('CREATE DATABASE intelligence OWNER opencti')
  await admin.end()
  const sql = connect('intelligence')
  const url = `postgres://opencti@${address}/intelligence`
  return {
    version: found.server_version,
    url,
    password,
    env: { POSTGRESQL_URL: url, POSTGRESQL_PASSWORD: password },
    sql,
    read: () => readTables(sql),
    reset: async () => void (await sql`DROP SCHEMA IF EXISTS opencti CASCADE`),
    [Symbol.asyncDispose]: async () => {
      await sql.end({ timeout: 1 })
      // Ends its sessions and stops.
      server.kill('SIGINT')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What the tables hold; nothing before the connector has created them. */
async function readTables(sql: postgres.Sql): Promise<Map<string, unknown>> {
  const [found] = await sql`SELECT to_regclass('opencti.observable') IS NOT NULL AS is_there`
  if (found?.['is_there'] !== true) return new Map()
  const rows = await sql<{ key: string; content: unknown }[]>`
    SELECT 'entity ' || id AS key, to_jsonb(entity) AS content FROM opencti.entity
    UNION ALL SELECT 'relationship ' || id, to_jsonb(relationship) FROM opencti.relationship
    UNION ALL SELECT 'observables of ' || entity_id, jsonb_agg(to_jsonb(observable) ORDER BY type, value)
      FROM opencti.observable GROUP BY entity_id`
  return new Map(rows.map(({ key, content }) => [key, content]))
}

/** Where Debian and others keep `initdb` and `postgres`, of the newest version that is there. */
async function programFolder(): Promise<string> {
  const versions = await readdir('/usr/lib/postgresql').catch((): string[] => [])
  const newest = versions.toSorted((one, other) => Number(one) - Number(other)).at(-1)
  if (newest === undefined)
    throw new Error('PostgreSQL is not installed. Install it: apt-get install postgresql')
  return `/usr/lib/postgresql/${newest}/bin`
}

/** PostgreSQL refuses to run as root: it then runs as the user of Debian's package. */
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  if (user === undefined) throw new Error('There is no user for PostgreSQL, which refuses to run as root.')
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

async function freePort(): Promise<number> {
  await using server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

if (process.argv[1] === import.meta.filename) {
  await using server = await startPostgres()
  console.error(`PostgreSQL ${server.version} listens. Stop it with Ctrl-C. Look into it with`)
  console.error(`psql '${server.url}?password=${server.password}'. A connector to it needs these settings:`)
  for (const [name, value] of Object.entries(server.env)) console.log(`export ${name}='${value}'`)
  await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)))
}
