import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from 'opencti-stream-connector'
import {
  acceptTarget,
  buildIndicator,
  openCtiPropertiesOf,
  seededRandom,
  Simulator,
} from 'opencti-stream-connector/testing'
import { PostgresqlConnector } from './connector.ts'
import { startPostgres, type PostgresServer } from './server.ts'

let server: PostgresServer

beforeAll(async () => {
  server = await startPostgres()
}, 60_000)

afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

acceptTarget({
  test,
  connector: new URL('./connector.ts', import.meta.url),
  env: () => server.env,
  target: {
    address: () => ({ setting: 'POSTGRESQL_URL', url: server.url }),
    read: () => server.read(),
    reset: () => server.reset(),
  },
  size: 24,
  kills: 3,
})

test('goes on after a connection that ends in the moment in which it asks', { timeout: 20_000 }, async () => {
  await server.reset()
  let client: Socket | undefined
  await using middle = createServer((socket) => {
    client = socket
    const target = connect(Number(new URL(server.url).port), '127.0.0.1')
    for (const [one, other] of [
      [socket, target],
      [target, socket],
    ] as const)
      one
        .on('data', (piece) => other.write(piece))
        .on('error', () => {})
        .on('close', () => other.destroy())
  }).listen(0, '127.0.0.1')
  await once(middle, 'listening')
  await using simulator = await Simulator.start()
  const url = Object.assign(new URL(server.url), { port: (middle.address() as AddressInfo).port }).href
  const env = { ...simulator.environment(), ...server.env, POSTGRESQL_URL: url }
  const connector = new PostgresqlConnector({ env, store: new MemoryStore() })
  await connector.loadPosition()
  // After a timer, the event loop looks at sockets before it runs what is due immediately.
  await sleep(10)
  client!.destroy()
  await expect(connector.loadPosition()).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(await connector.loadPosition()).toBeUndefined()
  await connector.close()
  client!.destroy()
})

describe('with kills', () => {
  const killCount = 20

  test(`applies every event exactly once through ${killCount} kills, although the state folder is lost again and again`, async ({
    annotate,
    onTestFinished,
  }) => {
    const seed = Number(process.env['EXACT_SEED'] ?? Date.now() % 1_000_000)
    await annotate(`run again with EXACT_SEED=${seed}`)
    const random = seededRandom(seed)
    await server.reset()
    await using simulator = await Simulator.start({ heartbeatMs: 50 })
    const folder = await mkdtemp(join(tmpdir(), 'exactly-once-'))
    const env = {
      ...simulator.environment(),
      ...server.env,
      CONNECTOR_STATE_DIR: join(folder, 'state'),
      CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
      CONNECTOR_LIVE_STREAM_RECOVER: 'false',
      CONNECTOR_BATCH_MAX_ITEMS: '7',
      CONNECTOR_BATCH_MAX_WAIT_MS: '20',
      NODE_COMPILE_CACHE: join(tmpdir(), 'opencti-accept-compiled'),
    }
    await countEffects(env)
    const counted = async () => Number((await server.sql`SELECT count(*) FROM public.effect`)[0]!['count'])
    let running = new Life(env)
    let next = new Life(env)
    onTestFinished(async () => {
      for (const { child } of [running, next]) child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    })
    running.begin()
    for (let kills = 1; kills <= killCount; kills++) {
      const before = await counted()
      for (let count = 0; count < 30; count++) change(simulator, random)
      await until('the first effects of a life', async () => (await counted()) > before)
      const aim = before + random() * 30
      for (let wait = 0; wait < 40 && (await counted()) < aim; wait++) await sleep(5)
      await sleep(random() * 10)
      running.child.kill('SIGKILL')
      await once(running.child, 'exit')
      if (random() < 0.5) await rm(join(folder, 'state'), { recursive: true, force: true })
      running = next
      running.begin()
      next = new Life(env)
    }
    // Something is left for the last one.
    simulator.create(buildIndicator('domain', { seed: simulator.history.length + 1 }))
    const expected = simulator.history.flatMap(({ id, type, data, envelope }) => {
      const sources = type === 'merge' ? (envelope.context?.sources ?? []) : []
      return [data, ...sources].map((object) => `${openCtiPropertiesOf(object).id}@${id}`)
    })
    const effects = async () => {
      const rows = await server.sql`SELECT id || '@' || position AS effect FROM public.effect`
      return rows.map(({ effect }) => String(effect))
    }
    const missing = async () => {
      const told = new Set(await effects())
      return expected.filter((effect) => !told.has(effect))
    }
    await until('everything', async () => (await missing()).length === 0)
    running.child.kill('SIGTERM')
    expect(await once(running.child, 'exit')).toEqual([0, null])
    const told = await effects()
    expect(told.filter((effect, index) => told.indexOf(effect) !== index)).toEqual([])
    const rows = await server.sql`SELECT raw FROM opencti.entity ORDER BY stix_id`
    const ids = simulator.entities().toSorted((one, other) => (one.id < other.id ? -1 : 1))
    expect(rows.map(({ raw }) => raw)).toEqual(ids)
  }, 120_000)
})

describe('bad input', () => {
  test('is told by the check in one clear line', async () => {
    await using simulator = await Simulator.start()
    const wrong = (change: Record<string, string>) =>
      check({ ...simulator.environment(), ...server.env, ...change })
    const urlOf = (change: Partial<Record<'username' | 'password' | 'port' | 'pathname', string>>) => ({
      POSTGRESQL_URL: Object.assign(new URL(server.url), change).href,
    })
    // As a load balancer does that has no server.
    await using hangsUp = createServer((socket) => socket.resume().end()).listen(0, '127.0.0.1')
    await server.reset()
    await server.sql.unsafe(`CREATE ROLE reader LOGIN PASSWORD '${server.password}'`)
    const lines = await Promise.all([
      wrong({}),
      wrong({ POSTGRESQL_PASSWORD: 'wrong' }),
      wrong(urlOf({ pathname: '/nowhere' })),
      wrong(urlOf({ port: '1' })),
      wrong(urlOf({ port: String((hangsUp.address() as AddressInfo).port) })),
      wrong(urlOf({ username: 'reader' })),
      wrong(urlOf({ password: 'secret' })),
      wrong({ POSTGRESQL_SCHEMA: 'Threat Intel' }),
    ])
    // It has only looked.
    expect(await server.read()).toEqual(new Map())
    await createTables({ ...simulator.environment(), ...server.env })
    await server.sql`GRANT USAGE ON SCHEMA opencti TO reader`
    await server.sql`GRANT SELECT ON ALL TABLES IN SCHEMA opencti TO reader`
    lines.push(await wrong(urlOf({ username: 'reader' })))
    await server.sql`DROP OWNED BY reader`
    await server.sql`DROP ROLE reader`
    expect(lines).toEqual([
      'the connector says it is ready',
      'check() failed: PostgresError: password authentication failed for user "opencti"',
      'check() failed: PostgresError: database "nowhere" does not exist',
      'check() failed: connect ECONNREFUSED 127.0.0.1:1',
      'check() failed: the server closed the connection',
      'check() failed: The schema opencti lacks the tables entity, relationship, observable, applied, progress, ' +
        'and the user may not create them. Run: GRANT CREATE ON DATABASE intelligence TO reader',
      expect.stringContaining(
        'POSTGRESQL_URL (postgresql.url) must not contain the password: set POSTGRESQL_PASSWORD.',
      ),
      expect.stringContaining(
        'POSTGRESQL_SCHEMA (postgresql.schema) must consist of lower-case letters, digits, and _.',
      ),
      'check() failed: The user may not write the tables entity, relationship, observable, applied, progress. ' +
        'Run: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA opencti TO reader',
    ])
  })

  test('of one entity becomes a dead letter with the reason, and the others are delivered', async () => {
    await server.reset()
    await using simulator = await Simulator.start()
    const store = new MemoryStore()
    const env = { ...simulator.environment({ CONNECTOR_BATCH_MAX_WAIT_MS: '50' }), ...server.env }
    await using connector = new PostgresqlConnector({ env, store })
    await connector.start()
    const write = (seed: number, change: object) =>
      simulator.create(buildIndicator('domain', { seed, ...change }))
    // One of them is larger than a page of an index, and does not get smaller by compression.
    const random = seededRandom(1)
    const long = Array.from({ length: 4000 }, () =>
      String.fromCodePoint(33 + Math.floor(random() * 90)),
    ).join('')
    const good = [1, 2, 3, 4].map((seed) => write(seed, {}))
    const bad = [write(5, { name: 'with a \u0000 in it' }), write(6, { labels: [long] })]
    await until('all of them', async () => {
      const { delivered } = connector.status()
      return delivered >= good.length && (await store.countDeadLetters()) === bad.length
    })
    const letters = await store.deadLetters({ limit: 10 })
    expect(new Map(letters.map(({ entityId, error }) => [entityId, error]))).toEqual(
      new Map([
        [
          bad[0]!.id,
          String.raw`PostgresError: unsupported Unicode escape sequence: \u0000 cannot be converted to text.`,
        ],
        [
          bad[1]!.id,
          expect.stringMatching(
            /^PostgresError: index row size \d+ exceeds maximum \d+ for index "entity_labels"$/,
          ),
        ],
      ]),
    )
    const ids = await server.sql`SELECT stix_id FROM opencti.entity WHERE type = 'indicator'`
    expect(ids.map(({ stix_id }) => String(stix_id)).toSorted()).toEqual(good.map(({ id }) => id).toSorted())
    // A name may be as long as it likes.
    const { id } = write(7, { name: long })
    await until('the long name', async () => {
      const found = await server.sql`SELECT 1 FROM opencti.entity WHERE name = ${long} AND stix_id = ${id}`
      return found.length === 1
    })
  })
})

/** Lets the connector create its tables. */
async function createTables(env: Record<string, string>): Promise<void> {
  const connector = new PostgresqlConnector({ env, store: new MemoryStore() })
  await connector.loadPosition()
  await connector.close()
}

const commandLine = `
  process.argv.splice(1, 0, 'opencti-stream')
  await import(new URL('cli.js', import.meta.resolve('opencti-stream-connector')))`

/** What `opencti-stream check` finds wrong; what it says about the target if that is nothing. */
async function check(env: Record<string, string>): Promise<string> {
  const program = spawn(
    process.execPath,
    ['--input-type=module', '--eval', commandLine, 'check', 'connector.ts', '--json'],
    { cwd: import.meta.dirname, env: { ...process.env, ...env } },
  )
  const { checks } = (await json(program.stdout)) as { checks: { status: string; message: string }[] }
  const { message } = checks.find(({ status }) => status === 'failed') ?? checks.at(-1)!
  return message.replaceAll(/\s+/g, ' ')
}

/** The tables exist, and a trigger counts how often each event takes effect on each entity. */
async function countEffects(env: Record<string, string>): Promise<void> {
  await createTables(env)
  await server.sql.unsafe(`
    DROP TABLE IF EXISTS public.effect;
    CREATE TABLE public.effect (id text, position text);
    CREATE OR REPLACE FUNCTION public.count_effect() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN INSERT INTO public.effect VALUES (NEW.id, NEW.position); RETURN NULL; END $$;
    CREATE TRIGGER count_effect AFTER INSERT OR UPDATE ON opencti.applied
      FOR EACH ROW EXECUTE FUNCTION public.count_effect();
  `)
}

/** Something happens at the platform. */
function change(simulator: Simulator, random: () => number): void {
  const entities = simulator.entities().filter(({ type }) => type === 'indicator')
  const [one, other] = [0, 1].map(() => entities[Math.floor(random() * entities.length)])
  const luck = random()
  if (one === undefined || other === undefined || luck < 0.4)
    simulator.create(buildIndicator('domain', { seed: simulator.history.length + 1 }))
  else if (luck < 0.8) simulator.update(one.id, { description: `Changed at ${simulator.history.length}` })
  else if (luck < 0.95 || one === other) simulator.delete(one.id)
  else simulator.merge(one.id, [other.id])
}

/** A process that has loaded the connector, and runs it when told. */
class Life {
  readonly child: ChildProcess

  constructor(env: Record<string, string>) {
    const program = `
      const { PostgresqlConnector } = await import(${JSON.stringify(new URL('./connector.ts', import.meta.url))})
      process.once('message', () => (process.disconnect(), PostgresqlConnector.run()))`
    this.child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: import.meta.dirname,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
  }

  begin(): void {
    this.child.send('begin')
  }
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1500; tries++) {
    if (await look()) return
    await sleep(20)
  }
  throw new Error(`Waited in vain for ${what}.`)
}
