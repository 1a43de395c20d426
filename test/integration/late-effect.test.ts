import { once } from 'node:events'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  nameOf,
  StreamConnector,
  type ConnectorNotice,
  type Entity,
  type EventContext,
  type FlushOperation,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

interface Item {
  readonly id: string
  readonly name: string
}

/** A target that takes 400 ms for what is named slow, and takes nothing of a caller that has hung up. */
async function slowTarget() {
  const names: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const { items, isDeaf } = JSON.parse(body) as { items: Item[]; isDeaf: boolean }
      const apply = () => {
        if (response.destroyed && !isDeaf) return
        names.push(...items.map(({ name }) => name))
        response.end('{}')
      }
      if (items.some(({ name }) => name === 'slow')) setTimeout(apply, 400)
      else apply()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { names, url: `http://127.0.0.1:${(server.address() as { port: number }).port}/` }
}

type Way = 'this.http' | 'fetch with the signal' | 'fetch without it'

function classOf(url: string, way: Way) {
  const notices: ConnectorNotice[] = []
  class Target extends StreamConnector<never, Item> {
    static override readonly defaults = {
      filter: { types: ['indicator'] },
      retry: { baseMs: 10, maxMs: 50 },
      batch: { maxItems: 1 },
    }
    transform = (entity: Entity) => ({ id: entity.id, name: nameOf(entity) })
    override create(item: Item, context: EventContext) {
      return this.send([item], context.signal)
    }
    override update(item: Item, context: EventContext) {
      return this.send([item], context.signal)
    }
    async send(items: readonly Item[], signal: AbortSignal) {
      const isDeaf = way === 'fetch without it'
      if (way === 'this.http') await this.http.put(url, { json: { items, isDeaf } }).json()
      else
        await fetch(url, {
          method: 'PUT',
          body: JSON.stringify({ items, isDeaf }),
          ...(isDeaf ? {} : { signal }),
        })
    }
  }
  class BulkTarget extends Target {
    override async flush(operations: readonly FlushOperation<Item>[]) {
      await this.send(
        operations.map(({ item }) => item!),
        operations[0]!.context.signal,
      )
    }
  }
  return { Target, BulkTarget, notices }
}

test.each(
  (['this.http', 'fetch with the signal', 'fetch without it'] as const).flatMap((way) =>
    (['Target', 'BulkTarget'] as const).map((name) => [way, name] as const),
  ),
)(
  'with %s, a call that runs past its time limit never overwrites a newer version (%s)',
  async (way, name) => {
    const { names, url } = await slowTarget()
    const { notices, [name]: Class } = classOf(url, way)
    const simulator = await startSimulator()
    const connector = new Class({
      env: simulator.environment({
        CONNECTOR_HOOK_TIMEOUT_MS: '100',
        CONNECTOR_RETRY_ATTEMPTS: '1000',
        CONNECTOR_STOP_GRACE_MS: '100',
      }),
      directory: tmpdir(),
      store: new MemoryStore(),
      onNotice: (notice) => notices.push(notice),
    })
    onTestFinished(() => connector.stop())
    await connector.start()
    await until('the start', () => !connector.status().catchingUp)
    const data = buildIndicator('domain', { name: 'first' })
    simulator.create(data)
    await until('the first', () => names.includes('first'))
    simulator.update(data.id, { name: 'slow' })
    simulator.update(data.id, { name: 'last' })
    const other = buildIndicator('ipv4', { name: 'other' })
    simulator.create(other)
    await until('the other, which waits for nobody', () => names.includes('other'))
    expect(other.id).not.toBe(data.id)
    if (way === 'fetch without it') {
      await until('the last', () => names.includes('last'))
      expect(names.indexOf('slow')).toBeLessThan(names.indexOf('last'))
      expect(names.lastIndexOf('slow')).toBeLessThan(names.indexOf('last'))
      expect(notices).toContainEqual(
        expect.objectContaining({ kind: 'hook-overdue', entityIds: [data.id], limitMs: 100 }),
      )
      expect(connector.status()).toMatchObject({ retries: 0, deadLettered: 0 })
    } else {
      await until('the retries', () => connector.status().retries > 2)
      // What is broken off takes no effect at all, and is tried again before anything newer.
      expect(names.filter((each) => each !== 'other')).toEqual(['first'])
      expect(notices.some(({ kind }) => kind === 'hook-overdue')).toBe(false)
    }
  },
)

test('hooks that never end hold their own entities, but not the places of others, and not the stop', async () => {
  const notices: ConnectorNotice[] = []
  const taken: string[] = []
  class Hanging extends StreamConnector<never, string> {
    static override readonly defaults = {
      filter: { types: ['indicator'] },
      concurrency: 4,
      outage: { failures: 1000 },
    }
    transform = (entity: Entity) => nameOf(entity)
    override create(name: string): Promise<void> | void {
      if (name === 'hangs') return new Promise(() => {})
      taken.push(name)
    }
  }
  const simulator = await startSimulator()
  const connector = new Hanging({
    env: simulator.environment({ CONNECTOR_HOOK_TIMEOUT_MS: '50', CONNECTOR_STOP_GRACE_MS: '100' }),
    directory: tmpdir(),
    store: new MemoryStore(),
    onNotice: (notice) => notices.push(notice),
  })
  onTestFinished(() => connector.stop())
  await connector.start()
  for (let index = 0; index < 12; index++)
    simulator.create(buildIndicator('domain', { name: 'hangs', seed: index }))
  for (let index = 0; index < 20; index++)
    simulator.create(buildIndicator('ipv4', { name: `goes ${index}`, seed: 100 + index }))
  await until('the others', () => taken.length === 20)
  await until('what is told', () => notices.filter(({ kind }) => kind === 'hook-overdue').length === 12)
  expect(connector.status()).toMatchObject({ delivered: 20, deadLettered: 0, inFlight: 12 })
  await connector.stop()
  expect(connector.status().state).toBe('stopped')
})
