import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import {
  acceptTarget,
  buildIndicator,
  openCtiPropertiesOf,
  seededRandom,
  Simulator,
} from 'opencti-stream-connector/testing'
import { NatsConnector } from './connector.ts'
import { startNats, type NatsServer } from './server.ts'

let server: NatsServer

beforeAll(async () => {
  server = await startNats()
})
beforeEach(() => server.reset())
afterAll(() => server?.[Symbol.asyncDispose]())

acceptTarget({
  test,
  connector: new URL('./connector.ts', import.meta.url),
  env: () => server.env,
  target: {
    address: () => ({ setting: 'NATS_URL', url: server.url }),
    read: () => server.read(),
    history: () => server.history(),
    reset: () => server.reset(),
  },
})

const killCount = 6

test(`holds a record of every event after ${killCount} kills, and the right one at last, although the state folder is lost again and again`, async ({
  onTestFinished,
}) => {
  const random = seededRandom(7)
  await using simulator = await Simulator.start({ heartbeatMs: 50 })
  const folder = await mkdtemp(join(tmpdir(), 'nats-connector-'))
  const env = {
    ...simulator.environment(),
    ...server.env,
    CONNECTOR_STATE_DIR: join(folder, 'state'),
    CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
    CONNECTOR_LIVE_STREAM_RECOVER: 'false',
  }
  let connector: ChildProcess | undefined
  onTestFinished(async () => {
    connector?.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const start = () =>
    spawn(process.execPath, [fileURLToPath(new URL('./main.ts', import.meta.url))], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  for (let kills = 0; kills < killCount; kills++) {
    const before = (await server.events()).length
    for (let count = 0; count < 40; count++) {
      const seed = simulator.history.length + 1
      const { id } = simulator.create(buildIndicator('domain', { seed }))
      simulator.update(id, { description: 'Changed' })
      if (random() < 0.3) simulator.delete(id)
    }
    connector = start()
    await until('the first records of a life', async () => (await server.events()).length > before)
    await sleep(random() * 30)
    connector.kill('SIGKILL')
    await once(connector, 'exit')
    if (kills % 2 === 0) await rm(join(folder, 'state'), { recursive: true, force: true })
  }
  // Something is left for the last one.
  simulator.create(buildIndicator('domain', { seed: simulator.history.length + 1 }))
  connector = start()
  const expected = simulator.history.map(
    ({ id, type, data }) => `${id} ${type === 'delete' ? 'gone' : 'there'} ${openCtiPropertiesOf(data).id}`,
  )
  await until('everything', async () => {
    const events = new Set(await server.events())
    return expected.every((event) => events.has(event))
  })
  connector.kill('SIGTERM')
  expect(await once(connector, 'exit')).toEqual([0, null])
  const alive = simulator.entities().filter(({ type }) => type === 'indicator')
  const records = [...(await server.read())].filter(([subject]) => subject.startsWith('opencti.indicator.'))
  expect(new Map(records)).toEqual(
    new Map(alive.map((entity) => [`opencti.indicator.${openCtiPropertiesOf(entity).id}`, entity])),
  )
})

test('says at last that an entity is gone, although its past is told again within minutes', async () => {
  await using simulator = await Simulator.start({ heartbeatMs: 50 })
  const live = async () => {
    const env = { ...simulator.environment(), ...server.env }
    const connector = new NatsConnector({ env, store: new MemoryStore(), logger: silentLogger })
    await connector.start()
    await until('the end of the catch-up', async () => !connector.status().catchingUp)
    return connector
  }
  const recorded = (id: string, event: string) =>
    until(`the record of ${id}`, async () =>
      (await server.events()).some((each) => each.endsWith(`${event} ${id}`)),
    )
  const create = (seed: number) =>
    openCtiPropertiesOf(simulator.create(buildIndicator('domain', { seed }))).id

  const id = create(1)
  {
    await using _ = await live()
    await recorded(id, 'there')
    simulator.delete(id)
    await recorded(id, 'gone')
  }
  simulator.resetState()
  {
    await using _ = await live()
    await recorded(create(2), 'there')
  }
  const told = (await server.events()).filter((event) => event.endsWith(id))
  expect(told.map((event) => event.split(' ')[1])).toEqual(['there', 'gone', 'there', 'gone'])
  expect([...(await server.read()).keys()]).not.toContain(`opencti.indicator.${id}`)
})

test('bad input is told by the check in one clear line', async () => {
  await using simulator = await Simulator.start()
  const says = (change: Record<string, string>) =>
    check({ ...simulator.environment(), ...server.env, ...change })
  expect(
    await Promise.all([
      says({ NATS_PASSWORD: 'wrong' }),
      says({ NATS_URL: 'nats://127.0.0.1:1' }),
      says({ NATS_USERNAME: 'reader' }),
      says({ NATS_URL: 'http://127.0.0.1:4222' }),
      says({ NATS_SUBJECT: 'opencti.>' }),
    ]),
  ).toEqual([
    'open() failed: AuthorizationError: Authorization Violation',
    'open() failed: ConnectionError: connection refused (connect ECONNREFUSED 127.0.0.1:1)',
    'check() failed: RequestError: Permissions Violation for Publish to "$JS.API.STREAM.CREATE.opencti"',
    expect.stringContaining('NATS_URL (nats.url) must be a URL such as nats://nats.example:4222.'),
    expect.stringContaining('NATS_SUBJECT (nats.subject) must be a subject without wildcards.'),
  ])
  expect(await says({})).toBe('the connector says it is ready')
  expect(await says({ NATS_STREAM: 'events' })).toBe(
    'check() failed: The stream "opencti" holds opencti.>, not "events": set NATS_STREAM, or choose another NATS_SUBJECT',
  )
  await server.reset()
  await server.manager.streams.add({ name: 'opencti', subjects: ['opencti.indicator.>'] })
  expect(await says({})).toBe(
    'check() failed: The stream "opencti" holds only opencti.indicator.>: add opencti.>',
  )
  await server.reset()
  await server.manager.streams.add({ name: 'opencti', subjects: ['opencti.>'], no_ack: true })
  expect(await says({})).toBe(
    'check() failed: The stream "opencti" acknowledges nothing (no_ack), so records could be lost',
  )
})

test('an entity that is too large becomes a dead letter with the reason, and the others are recorded', async () => {
  await using simulator = await Simulator.start()
  // The server takes messages of 256 KB, and this stream less.
  await server.manager.streams.add({ name: 'opencti', subjects: ['opencti.>'], max_msg_size: 100_000 })
  const store = new MemoryStore()
  const env = { ...simulator.environment(), ...server.env }
  await using connector = new NatsConnector({ env, store, logger: silentLogger })
  await connector.start()
  const [tooLarge, largerStill, good] = [300_000, 150_000, 1000].map((length, index) =>
    simulator.create(buildIndicator('domain', { seed: index + 1, description: 'x'.repeat(length) })),
  )
  await until('the dead letters', async () => (await store.countDeadLetters()) === 2)
  const letters = await store.deadLetters({ limit: 10 })
  expect(new Map(letters.map(({ entityId, error }) => [entityId, error]))).toEqual(
    new Map([
      [
        tooLarge!.id,
        expect.stringMatching(/^The record has \d+ bytes; the server takes 261144 \(max_payload\)$/),
      ],
      [largerStill!.id, 'JetStreamApiError: message size exceeds maximum allowed'],
    ]),
  )
  await until('the good one', async () => {
    const held = [...(await server.read()).values()] as { id: string }[]
    return held.some(({ id }) => id === good!.id)
  })
})

test('waits for a server that is away at the start', async () => {
  await using simulator = await Simulator.start()
  const away = await startNats()
  await away[Symbol.asyncDispose]()
  const env = { ...simulator.environment(), ...server.env, NATS_URL: away.url }
  await using connector = new NatsConnector({ env, store: new MemoryStore(), logger: silentLogger })
  const started = connector.start()
  await until('the wait', async () => connector.status().notReady.length > 0)
  await using back = await startNats({ port: Number(new URL(away.url).port) })
  await started
  const { id } = simulator.create(buildIndicator('domain', { seed: 1 }))
  await until('the record', async () => {
    const held = [...(await back.read()).values()] as { id: string }[]
    return held.some((entity) => entity.id === id)
  })
})

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

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1500; tries++) {
    if (await look()) return
    await sleep(20)
  }
  throw new Error(`Waited in vain for ${what}.`)
}
