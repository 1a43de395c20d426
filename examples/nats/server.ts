import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeliverPolicy, jetstreamManager, type JetStreamManager, type JsMsg } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'

/** A real NATS server with JetStream in a temporary folder. */
export interface NatsServer extends AsyncDisposable {
  readonly version: string
  /** What `NATS_URL` is set to. */
  readonly url: string
  /** The connector's settings. */
  readonly env: Readonly<Record<string, string>>
  readonly nats: NatsConnection
  readonly manager: JetStreamManager
  /** The last record of each subject: what exists, by subject. */
  read(): Promise<Map<string, unknown>>
  /** All records since the last reset, oldest first; without content, if it is gone. */
  history(): Promise<[subject: string, content: unknown][]>
  /** Which events all records since the last reset are about: `<position> <event> <OpenCTI id>`. */
  events(): Promise<string[]>
  /** Removes the stream, with the ids that it remembers. */
  reset(): Promise<void>
}

/**
 * Starts NATS on a free port of 127.0.0.1. The user `reader` may write nothing.
 * @throws if it is not installed.
 */
export async function startNats({ port = 0 }: { readonly port?: number } = {}): Promise<NatsServer> {
  const [username, password] = ['opencti', 'sesame-4711']
  const folder = await mkdtemp(join(tmpdir(), 'nats-'))
  const listen = port === 0 ? await freePort() : port
  await writeFile(
    join(folder, 'nats.conf'),
    `listen: 127.0.0.1:${listen}
     max_payload: 256KB
     jetstream { store_dir: "${folder}" }
     authorization { users = [
       { user: ${username}, password: ${password} }
       { user: reader, password: ${password}, permissions: {
         publish: ["$JS.API.INFO", "$JS.API.STREAM.LIST"], subscribe: ["_INBOX.>"]
       } }
     ] }`,
  )
  // Debian installs it where only administrators look.
  const PATH = `${process.env['PATH']}:/usr/sbin`
  const server = spawn('nats-server', ['-c', join(folder, 'nats.conf')], {
    env: { PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => (log = `${log}${text}`.slice(-5000)))
  const exited = Promise.race([once(server, 'exit'), once(server, 'error')])
  server.on('error', (error) => (log = error.message))
  while (!log.includes('Server is ready')) {
    if (log.includes('ENOENT'))
      throw new Error('NATS is not installed. Install it: apt-get install nats-server')
    if (server.exitCode !== null) throw new Error(`NATS has not started: ${log}`)
    await sleep(20)
  }
  const url = `nats://127.0.0.1:${listen}`
  const nats = await connect({ servers: url, user: username, pass: password })
  const manager = await jetstreamManager(nats)
  const contents = async (deliver_policy: DeliverPolicy) =>
    (await recordsOf(manager, deliver_policy)).map((record): [string, unknown] => [
      record.subject,
      contentOf(record),
    ])
  return {
    version: nats.info!.version,
    url,
    env: { NATS_URL: url, NATS_USERNAME: username, NATS_PASSWORD: password },
    nats,
    manager,
    read: async () =>
      new Map((await contents(DeliverPolicy.LastPerSubject)).filter(([, content]) => content !== undefined)),
    history: () => contents(DeliverPolicy.All),
    async events() {
      const records = await recordsOf(manager, DeliverPolicy.All)
      return records.map((record) => {
        const { event, position } = record.json<{ event: string; position: string }>()
        return `${position} ${event === 'delete' ? 'gone' : 'there'} ${record.headers!.get('OpenCTI-Id')}`
      })
    },
    async reset() {
      for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name)
    },
    async [Symbol.asyncDispose]() {
      await nats.close()
      server.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Records of the stream; none before the connector has created it. */
async function recordsOf(manager: JetStreamManager, deliver_policy: DeliverPolicy): Promise<JsMsg[]> {
  const [name] = await manager.streams.names('opencti.>').next()
  if (name === undefined) return []
  const consumer = await manager.jetstream().consumers.get(name, { deliver_policy })
  const { num_pending } = await consumer.info()
  if (num_pending === 0) return []
  const records: JsMsg[] = []
  for await (const record of await consumer.fetch({ max_messages: num_pending, expires: 5000 }))
    records.push(record)
  return records
}

/** What a record leaves of its entity; undefined if it is gone. */
function contentOf(record: JsMsg): unknown {
  const { event, entity } = record.json<{ event: string; entity: unknown }>()
  return event === 'delete' ? undefined : entity
}

async function freePort(): Promise<number> {
  await using server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

if (process.argv[1] === import.meta.filename) {
  await using server = await startNats({ port: 4222 })
  console.error(
    `NATS ${server.version} listens. Stop it with Ctrl-C. A connector to it needs these settings:`,
  )
  for (const [name, value] of Object.entries(server.env)) console.log(`export ${name}='${value}'`)
  await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)))
}
