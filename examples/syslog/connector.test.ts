import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import {
  acceptTarget,
  buildIndicator,
  openCtiPropertiesOf,
  Simulator,
  type StixChanges,
} from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SyslogConnector } from './connector.ts'
import { parseMessage, startRsyslog, type RsyslogServer } from './server.ts'

let server: RsyslogServer

beforeAll(async () => {
  server = await startRsyslog()
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(() => server.reset())

describe('promises of the connector', () => {
  acceptTarget({
    test,
    connector: new URL('./connector.ts', import.meta.url),
    env: () => ({ ...server.env, SYSLOG_HOSTNAME: 'siem-feed' }),
    target: {
      address: () => ({ setting: 'SYSLOG_URL', url: server.url }),
      read: () => server.read(),
      reset: () => server.reset(),
    },
  })
})

describe('a message', () => {
  test('of CEF is escaped as ArcSight reads it', async () => {
    await using stage = await begin()
    const { id } = stage.create({
      name: 'a|b\\c=d',
      description: 'first\nsecond=2 \\n msg=no\r\tend|',
      pattern: "[url:value = 'https://evil.example/?a=b&c=d|e']",
      x_opencti_score: 87,
      confidence: 60,
      labels: ['one', 'two words'],
      object_marking_refs: ['marking-definition--826578e1-40ad-459f-bc73-ede076f81f37'], // TLP:AMBER+STRICT
    })
    const [line = ''] = await stage.messages(1)
    const message = parseMessage(line)
    const ms = message.position.split('-')[0]
    expect(line).toMatch(
      new RegExp(
        `^<131>1 ${new Date(Number(ms)).toISOString()} siem-feed OpenCTI - create \\[opencti@32473 action="create" id="${id}"`,
      ),
    )
    expect(line).toContain('] CEF:0|Filigran|OpenCTI|1|indicator:create|indicator created|9|rt=')
    expect(line).toContain(' cs1Label=values cs1=https://evil.example/?a\\=b&c\\=d|e cs2Label')
    expect(line).toContain(' flexString1=a|b\\\\c\\=d ')
    expect(line).toMatch(/ msg=first\\nsecond\\=2 \\\\n msg\\=no\\r end\|$/)
    expect(message).toMatchObject({
      priority: 131, // local0, error
      id,
      action: 'create',
      content: {
        externalId: id,
        values: 'https://evil.example/?a=b&c=d|e',
        valueTypes: 'url',
        tlp: 'TLP:AMBER+STRICT',
        labels: 'one\ntwo words',
        score: '87',
        confidence: '60',
        name: 'a|b\\c=d',
        msg: 'first\nsecond=2 \\n msg=no\r end|',
      },
    })
  })

  test('of JSON has everything, in any script', async () => {
    await using stage = await begin({ SYSLOG_FORMAT: 'json' })
    const { id } = stage.create({ name: 'Злой 🦊 "1"\n', pattern: "[ipv4-addr:value = '203.0.113.7']" })
    const [line = ''] = await stage.messages(1)
    expect(parseMessage(line)).toMatchObject({
      action: 'create',
      content: { id, name: 'Злой 🦊 "1"\n', values: ['203.0.113.7'], value_types: ['ipv4-addr'] },
    })
  })

  test('follows for each change, and says why something is gone', async () => {
    await using stage = await begin()
    const { id } = stage.create({ name: 'First' })
    await stage.messages(1)
    stage.simulator.update(id, { name: 'Second' })
    expect(parseMessage((await stage.messages(2))[1]!)).toMatchObject({
      action: 'update',
      content: { name: 'Second' },
    })
    stage.simulator.update(id, { revoked: true })
    const [, , gone = ''] = await stage.messages(3)
    expect(gone).toContain('|indicator:delete|indicator deleted|')
    expect(gone).toContain(` act=delete reason=revoked externalId=${id} `)
    expect(await server.read()).toEqual(new Map())
  })

  test('that is too long goes without description and pattern, and says so', async () => {
    await using stage = await begin({ SYSLOG_MAX_MESSAGE_BYTES: '2048' })
    stage.create({ description: 'ö'.repeat(1000) })
    const [line = ''] = await stage.messages(1)
    expect(Buffer.byteLength(line)).toBeLessThan(2048)
    expect(line).not.toContain('ö')
    expect(parseMessage(line).content).toMatchObject({ shortened: 'without description and pattern' })
  })

  test('whose value alone is too long is a dead letter, and the others are sent', async () => {
    await using stage = await begin()
    stage.create({ pattern: `[url:value = 'https://a.example/${'x'.repeat(9000)}']` })
    const { id } = stage.create({})
    expect(parseMessage((await stage.messages(1))[0]!).id).toBe(id)
    await eventually(stage.deadLetters).toEqual([
      expect.stringMatching(
        /^The message has \d+ bytes without description and pattern; the receiver takes 8192 \(SYSLOG_MAX_MESSAGE_BYTES/,
      ),
    ])
  })
})

describe('what a receiver has not read', () => {
  test('is sent again, even if the connection ends as if all were well', async () => {
    // Takes everything, passes on only the handshake, and ends both connections in good order.
    let isBroken = true
    await using middle = await listening(
      createServer((client) => {
        const target = toServer()
        let swallows = false
        pipe(client, target, ({ length }) => {
          if (isBroken && length > 3000) {
            isBroken = false
            swallows = true
            setTimeout(() => [client, target].forEach((socket) => socket.end()), 50)
          }
          return !swallows
        })
      }),
    )
    await using stage = await begin({ SYSLOG_URL: middle.url })
    const made = Array.from({ length: 20 }, () => stage.create({}).id)
    await eventually(async () => (await server.read()).size).toBe(20)
    expect([...(await server.read()).keys()].toSorted()).toEqual(made.toSorted())
    expect(isBroken).toBe(false)
    expect(await stage.deadLetters()).toEqual([])
  })

  test('is sent again if the receiver threw it away while it shut down in good order', async () => {
    // As rsyslog does: it has read the messages, ends every connection as TLS wants it, and takes no other one.
    const folder = dirname(server.env['SYSLOG_SSL_CA']!)
    const [cert, key] = await Promise.all(
      ['server.pem', 'server.key'].map((name) => readFile(join(folder, name))),
    )
    let isBack = false
    let kept = ''
    const receiver = createTlsServer({ cert, key }, (session) => {
      session.on('error', () => {})
      session.on('data', (piece) => {
        if (isBack) return void (kept += piece)
        receiver.close()
        session.end()
      })
    })
    await using other = await listening(receiver)
    await using stage = await begin({ SYSLOG_URL: other.url, CONNECTOR_OUTAGE_PROBE_MIN_MS: '20' })
    const made = Array.from({ length: 20 }, () => stage.create({}).id)
    await eventually(() => {
      const { retries, delivered } = stage.connector.status()
      return retries + delivered
    }).toBeGreaterThan(0)
    isBack = true
    receiver.listen(Number(new URL(other.url).port), '127.0.0.1')
    await eventually(() => stage.connector.status().delivered).toBe(made.length)
    expect(made.filter((id) => !kept.includes(id))).toEqual([])
  })

  test('is not known from a receiver that never ends a connection in good order, and check() says so', async () => {
    await using other = await startRsyslog({ driver: 'gtls' })
    await expect(check(other.env)).rejects.toThrow(
      /^The syslog receiver at tls:\S+ ended the connection without close_notify, .* set SYSLOG_CONFIRM=close/,
    )
    await expect(check({ ...other.env, SYSLOG_CONFIRM: 'close' })).resolves.toBeUndefined()
    await using stage = await begin({ ...other.env, SYSLOG_CONFIRM: 'close' })
    const { id } = stage.create({})
    await eventually(async () => [...(await other.read()).keys()]).toEqual([id])
  })

  test('is sent again after the receiver was restarted in the middle', { timeout: 60_000 }, async () => {
    await using other = await startRsyslog()
    await using stage = await begin({
      ...other.env,
      CONNECTOR_OUTAGE_PROBE_MIN_MS: '20',
      CONNECTOR_BATCH_MAX_ITEMS: '5',
    })
    const made: string[] = []
    for (let restarts = 0; restarts < 5; restarts++) {
      for (let count = 0; count < 60; count++) made.push(stage.create({}).id)
      await eventually(() => stage.connector.status().delivered).toBeGreaterThan(made.length - 50)
      await other.stop()
      await other.start()
    }
    await eventually(() => stage.connector.status().delivered).toBe(made.length)
    expect([...(await other.read()).keys()].toSorted()).toEqual(made.toSorted())
  })
})

describe('check() says in one line that', () => {
  test('nothing, when all is well', () => expect(check({})).resolves.toBeUndefined())

  test('the receiver is away', () =>
    expect(check({ SYSLOG_URL: 'tls://127.0.0.1:9' })).rejects.toThrow('connect ECONNREFUSED 127.0.0.1:9'))

  test('nobody trusts the authority of the receiver', () =>
    expect(check({ SYSLOG_SSL_CA: '' })).rejects.toThrow(
      /^TLS with the syslog receiver at tls:\S+ failed: (?:self-signed|unable to verify).*\. Check SYSLOG_SSL_CA/,
    ))

  test('the certificate is for another name', async () => {
    await using other = await listening(
      createServer((client) => pipe(client, toServer(), () => true)),
      '127.0.0.2',
    )
    await expect(check({ SYSLOG_URL: other.url })).rejects.toThrow(
      /IP: 127\.0\.0\.2 is not in the cert's list/,
    )
  })

  test('the receiver wants a certificate', async () => {
    await using strict = await startRsyslog({ asksForCertificate: true })
    await expect(check(strict.env)).rejects.toThrow(/failed: .*(?:certificate required|handshake failure)/)
    await expect(check({ ...strict.env, ...strict.clientEnv })).resolves.toBeUndefined()
  })

  test('the port does not speak TLS', async () => {
    await using plain = await listening(createServer((socket) => void socket.end('hello\n')))
    await expect(check({ SYSLOG_URL: plain.url })).rejects.toThrow(
      /failed: .*(?:wrong version number|packet)/,
    )
  })

  test('a setting is wrong', () => {
    expect(() => make({ SYSLOG_URL: 'https://siem.example' })).toThrow(
      /SYSLOG_URL.*must be tls:\/\/HOST:PORT/,
    )
    expect(() => make({ SYSLOG_MAX_MESSAGE_BYTES: '100' })).toThrow(/SYSLOG_MAX_MESSAGE_BYTES/)
  })
})

const minimal = {
  OPENCTI_URL: 'http://127.0.0.1:9',
  OPENCTI_TOKEN: 'a-token',
  CONNECTOR_ID: 'c2f0f0f6-7b0c-4f52-9d4e-0d2d6d3f9b1e',
  CONNECTOR_LIVE_STREAM_ID: 'b7b1f6a2-1f3c-4c9e-8f6e-6f0a5d3c0013',
}
const make = (env: Record<string, string>) =>
  new SyslogConnector({
    env: { ...minimal, ...server.env, ...env },
    store: new MemoryStore(),
    logger: silentLogger,
  })
const check = (env: Record<string, string>) => make(env).check(AbortSignal.timeout(20_000))

const toServer = () => connect(Number(new URL(server.url).port), '127.0.0.1')

function pipe(client: Socket, target: Socket, passes: (piece: Buffer) => boolean): void {
  client.on('data', (piece) => passes(piece) && target.write(piece))
  target.on('data', (piece) => client.writable && client.write(piece))
  for (const [one, other] of [
    [client, target],
    [target, client],
  ] as const)
    one.on('end', () => other.end()).on('error', () => other.destroy())
}

async function listening(listener: Server, host = '127.0.0.1') {
  listener.listen(0, host)
  await once(listener, 'listening')
  return {
    url: `tls://${host}:${(listener.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      listener.close()
    },
  }
}

/** Waits as long as a busy machine needs. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 })

/** A platform, and a connector that runs. */
async function begin(env: Record<string, string> = {}) {
  const simulator = await Simulator.start()
  const store = new MemoryStore()
  const connector = new SyslogConnector({
    env: {
      ...simulator.environment({
        CONNECTOR_BATCH_MAX_WAIT_MS: '50',
        CONNECTOR_RETRY_BASE_MS: '10',
        SYSLOG_HOSTNAME: 'siem-feed',
      }),
      ...server.env,
      ...env,
    },
    store,
    logger: silentLogger,
  })
  await connector.start()
  let seed = 0
  return {
    simulator,
    connector,
    /** Creates an indicator; its OpenCTI id. */
    create(changes: StixChanges) {
      const made = simulator.create(buildIndicator('domain', { seed: ++seed, ...changes }))
      return { id: openCtiPropertiesOf(made).id }
    },
    /** This many messages, once rsyslog has them. */
    async messages(count: number): Promise<string[]> {
      await eventually(async () => (await server.messages()).length).toBeGreaterThanOrEqual(count)
      return server.messages()
    },
    deadLetters: async () => (await store.deadLetters({ limit: 10 })).map(({ error }) => error),
    async [Symbol.asyncDispose]() {
      await connector.stop()
      await simulator.close()
    },
  }
}
