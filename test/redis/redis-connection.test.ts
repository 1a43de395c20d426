import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { RedisConnection, type RedisConnectionOptions } from '../../src/redis/redis-connection.ts'
import { RedisScript } from '../../src/redis/redis-script.ts'
import { makeCertificates } from '../fixtures/certificates.ts'
import { hasRedis, RedisServer, type RedisServerOptions } from '../fixtures/redis-server.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { until } from '../fixtures/until.ts'

const silent: Partial<RedisConnectionOptions> = { random: () => 0.1 }

function connectTo(url: string, options: Partial<RedisConnectionOptions> = {}): RedisConnection {
  const connection = new RedisConnection({ url, ...silent, ...options })
  onTestFinished(() => connection.close())
  return connection
}

const serverWith = (options?: RedisServerOptions) => RedisServer.forTest(options)
const messageOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 'it worked',
    (error: Error & { code: string }) => `${error.code}: ${error.message}`,
  )

describe.skipIf(!hasRedis)('RedisConnection', () => {
  let shared: RedisServer
  beforeAll(async () => void (shared = await RedisServer.start()))
  afterAll(() => shared[Symbol.asyncDispose]())

  it('runs commands and scripts, also those that the server has forgotten', async () => {
    const connection = connectTo(shared.url)
    const script = new RedisScript('return { KEYS[1], ARGV[1] }')
    expect(await connection.run('reading', script, ['key'], ['é'])).toEqual(['key', 'é'])
    await shared.command('SCRIPT', 'FLUSH')
    expect(await connection.run('reading', script, ['key'], [Buffer.from('b')])).toEqual(['key', 'b'])
    expect(await connection.command('reading', ['PING'])).toBe('PONG')
  })

  it('selects the database and signs in as the address says', async () => {
    const server = await serverWith({ password: 'sesame/4711?' })
    const connection = connectTo(`${server.url}/3`)
    await connection.command('writing', ['SET', 'here', '1'])
    expect(await server.command('DBSIZE')).toBe(0)
    const wrong = connectTo(server.url.replace('sesame', 'wrong'))
    expect(await messageOf(wrong.command('reading', ['PING']))).toMatch(
      /^STATE_UNREADABLE: .*CONNECTOR_STATE_URL.*rejects the user or password.*\(WRONGPASS\)/,
    )
    const none = connectTo(`redis://127.0.0.1:${server.port}`, { setting: 'CONNECTOR_CLUSTER_URL' })
    expect(await messageOf(none.command('writing', ['PING']))).toMatch(
      /^STATE_NOT_WRITTEN: .*requires a password; write it in CONNECTOR_CLUSTER_URL.*\(NOAUTH\)/,
    )
  })

  it('never repeats the password of an address that it cannot read', () => {
    for (const url of [
      'https://:sesame4711@host',
      'redis://:sesame4711@',
      'redis://:sesame4711@host:99999',
      ':sesame4711@',
      'redis://:sesame4711@host/name',
    ]) {
      let error: unknown
      try {
        connectTo(url)
      } catch (thrown) {
        error = thrown
      }
      expect(String(error)).toContain('CONNECTOR_STATE_URL')
      expect(inspect(error)).not.toContain('sesame')
    }
  })

  it('fails at once while the server is away, and comes back by itself', async () => {
    const server = await serverWith()
    const connection = connectTo(server.url)
    await connection.connected()
    const pending = messageOf(connection.command('writing', ['BLPOP', 'nothing', '0'], 60_000))
    await server.end()
    expect(await pending).toMatch(/^STATE_NOT_WRITTEN: .*(DISCONNECTED|ECONNRESET)/)
    while (connection.problem?.message.includes('ECONNREFUSED') !== true) await connection.changed()
    expect(await messageOf(connection.command('writing', ['SET', 'late', '1']))).toMatch(
      /^STATE_NOT_WRITTEN: .*nothing is listening there.*\(ECONNREFUSED\)/,
    )
    await server.restart()
    await connection.connected()
    expect(connection.problem).toBeUndefined()
    expect(await connection.command('reading', ['EXISTS', 'late'])).toBe(0)
  })

  it('waits for an answer for a bounded time, also when the server accepts connections and is frozen', async () => {
    const server = await serverWith()
    const connection = connectTo(server.url, { timeoutMs: 300 })
    await connection.connected()
    server.freeze()
    const noAnswer = /did not answer in time.*\(NOANSWER\)/
    expect(await messageOf(connection.command('reading', ['PING']))).toMatch(noAnswer)
    const fresh = connectTo(server.url, { timeoutMs: 300 })
    expect(await messageOf(fresh.command('reading', ['PING']))).toMatch(noAnswer)
    server.thaw()
    await Promise.all([connection.connected(), fresh.connected()])
    expect(await connection.command('reading', ['PING'])).toBe('PONG')
  })

  it('does not read from a replica, and finds the primary after a failover', async () => {
    const [primary, replica] = [await serverWith(), await serverWith()]
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port))
    const connection = connectTo(replica.url)
    expect(await messageOf(connection.command('reading', ['PING']))).toMatch(
      /replica.*after a failover.*READONLY/,
    )
    await replica.command('REPLICAOF', 'NO', 'ONE')
    await connection.connected()
    await connection.command('writing', ['SET', 'a', '1'])
    // It becomes a replica while it is connected.
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port))
    expect(await messageOf(connection.command('writing', ['SET', 'a', '2']))).toMatch(
      /^STATE_NOT_WRITTEN.*READONLY/,
    )
    expect(connection.isConnected).toBe(false)
  })

  it('says that memory is full', async () => {
    const server = await serverWith({ settings: { maxmemory: '1' } })
    const connection = connectTo(server.url)
    expect(await messageOf(connection.command('writing', ['SET', 'a', '1']))).toMatch(
      /memory is full \(maxmemory\).*\(OOM\)/,
    )
  })

  it('follows the node of a cluster that holds the keys', async () => {
    const cluster = { 'cluster-enabled': 'yes', 'cluster-require-full-coverage': 'no' }
    const [one, two] = [await serverWith({ settings: cluster }), await serverWith({ settings: cluster })]
    await one.command('CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
    await two.command('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
    await one.command('CLUSTER', 'MEET', '127.0.0.1', String(two.port))
    for (const node of [one, two])
      await until('the cluster', async () =>
        String(await node.command('CLUSTER', 'INFO')).includes('state:ok'),
      )
    const connection = connectTo(one.url)
    // {a} is slot 15495, {b} is slot 3300.
    await connection.command('writing', ['SET', '{a}:x', '1'])
    expect(await connection.command('reading', ['GET', '{a}:x'])).toBe('1')
    await connection.command('writing', ['SET', '{b}:x', '2'])
    expect(await one.command('GET', '{b}:x')).toBe('2')
    expect(await two.command('GET', '{a}:x')).toBe('1')
  })

  it('speaks TLS with rediss://, and only with the server that the address names', async () => {
    const { ca, server: own } = makeCertificates()
    const folder = await temporaryFolder()
    const files = { 'tls-cert-file': own.cert, 'tls-key-file': own.key, 'tls-ca-cert-file': ca }
    const settings: Record<string, string> = { 'tls-auth-clients': 'no' }
    for (const [name, text] of Object.entries(files))
      await writeFile((settings[name] = join(folder, name)), text)
    const plain = await serverWith()
    const port = plain.port
    await plain.end()
    const secure = await serverWith({ settings: { ...settings, 'tls-port': String(port) } })
    const connection = connectTo(`rediss://127.0.0.1:${port}`)
    expect(await messageOf(connection.command('reading', ['PING']))).toMatch(
      /unknown authority.*NODE_EXTRA_CA_CERTS/,
    )
    const program = `
      import { RedisConnection } from ${JSON.stringify(new URL('../../src/redis/redis-connection.ts', import.meta.url))}
      const connection = new RedisConnection({ url: 'rediss://localhost:${port}' })
      console.log(await connection.command('reading', ['PING']))
      connection.close()`
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: settings['tls-ca-cert-file']! }
    const child = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { env })
    expect(child.stdout).toBe('PONG\n')
    const wrongScheme = connectTo(`rediss://127.0.0.1:${secure.port}`, { timeoutMs: 300 })
    expect(await messageOf(wrongScheme.command('reading', ['PING']))).toMatch(/check redis:\/\/ or rediss:/)
  })

  it('has nothing to say after it was closed', async () => {
    const connection = connectTo(shared.url)
    await connection.connected()
    const pending = messageOf(connection.command('reading', ['BLPOP', 'nothing', '0'], 60_000))
    connection.close()
    connection.close()
    expect(await pending).toContain('CLOSED')
    expect(await messageOf(connection.command('writing', ['PING']))).toContain('CLOSED')
    await expect(connection.connected()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
  })
})

it('gives up a server that is not Redis', async () => {
  const server = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const connection = connectTo(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`)
  expect(await messageOf(connection.command('reading', ['PING']))).toMatch(/^STATE_UNREADABLE/)
})
