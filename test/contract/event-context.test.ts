import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  StreamConnector,
  previousOf,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type FlushOperation,
} from 'opencti-stream-connector'
import { buildIdentity, buildIndicator } from 'opencti-stream-connector/testing'
import { silentLogger } from '../../src/util/logger.ts'
import { until } from '../fixtures/until.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'

/** Keeps what its hooks were handed. */
class Witness extends StreamConnector {
  readonly seen: { hook: string; context: EventContext }[] = []
  transform(entity: Entity, context: EventContext): Entity {
    this.seen.push({ hook: 'transform', context })
    return entity
  }
  override create(_: Entity, context: EventContext): void {
    this.seen.push({ hook: 'create', context })
  }
  override update(_: Entity, context: EventContext): void {
    this.seen.push({ hook: 'update', context })
  }
  override delete(context: EventContext): void {
    this.seen.push({ hook: 'delete', context })
  }
}

class BulkWitness extends Witness {
  override flush(operations: readonly FlushOperation<Entity>[]): void {
    for (const { kind, context } of operations) this.seen.push({ hook: kind, context })
  }
}

const indicator = buildIndicator('ipv4', { seed: 1, name: 'new' })
const envelope = {
  version: '4',
  type: 'update',
  scope: 'external',
  message: 'replaces `new` in `Name`',
  origin: { user_id: 'u', ip: '::1', referer: 'https://platform.example.org/' },
  data: indicator,
  context: {
    patch: [{ op: 'replace', path: '/name', value: 'new' }],
    reverse_patch: [{ op: 'replace', path: '/name', value: 'old' }],
  },
}

function witness(Class: new (options: ConnectorOptions) => Witness): Witness {
  const connector = new Class({ env: minimalEnvironment, store: new MemoryStore(), logger: silentLogger })
  onTestFinished(() => connector.stop())
  return connector
}

test.each([Witness, BulkWitness])('every hook sees the whole event: %o', async (Class) => {
  const connector = witness(Class)
  await connector.processMessage({ event: 'create', data: indicator })
  await connector.processMessage({ event: 'update', data: envelope })
  await connector.processMessage({ event: 'delete', data: { ...envelope, type: 'delete' } })
  const updates = connector.seen.slice(2, 4)
  expect(updates.map(({ hook }) => hook)).toEqual(['transform', 'update'])
  for (const { context } of updates) {
    expect(context.envelope).toEqual(envelope)
    expect(JSON.parse(context.raw)).toEqual(envelope)
    expect(context.message).toBe(envelope.message)
    expect(context.origin.user_id).toBe('u')
    expect(context.origin['ip']).toBe('::1')
    expect(context.patch).toEqual(envelope.context.patch)
    expect(previousOf(context.entity, context.reversePatch)).toEqual({ ...indicator, name: 'old' })
  }
  expect(connector.seen.at(-1)!.hook).toBe('delete')
  expect(connector.seen.at(-1)!.context.envelope.type).toBe('delete')
})

test('says nothing where the platform said nothing, whatever is in its place', async () => {
  const connector = witness(Witness)
  const strange = { data: indicator, message: 7, origin: 'me', context: { patch: {}, reverse_patch: 'x' } }
  for (const data of [
    indicator,
    { data: indicator },
    strange,
    { data: indicator, context: null, origin: null },
  ]) {
    await connector.processMessage({ event: 'update', data })
    const { context } = connector.seen.at(-1)!
    expect([context.message, context.origin, context.patch, context.reversePatch]).toEqual([
      undefined,
      {},
      [],
      [],
    ])
    expect(context.changed).toEqual([])
    expect(context.previous()).toBeUndefined()
  }
})

test('previous and changed reach back to what the target has, before the replaced events', async () => {
  class Slow extends Witness {
    static override readonly defaults = { name: 'Slow', coalesce: 'latest' as const, concurrency: 1 }
    readonly mayGoOn = Promise.withResolvers<void>()
    override async create(entity: Entity, context: EventContext): Promise<void> {
      super.create(entity, context)
      await this.mayGoOn.promise
    }
  }
  const connector = witness(Slow) as Slow
  const named = (name: string, labels: readonly string[]) => ({ ...indicator, name, labels })
  const update = (data: Entity, path: string, was: unknown) => ({
    ...envelope,
    data,
    context: {
      patch: [{ op: 'replace', path, value: '' }],
      reverse_patch: [{ op: 'replace', path, value: was }],
    },
  })
  const outcomes = [
    connector.processMessage({ event: 'create', data: named('a', ['x']) }),
    connector.processMessage({ event: 'update', data: update(named('b', ['x']), '/name', 'a') }),
    connector.processMessage({ event: 'update', data: update(named('b', ['y']), '/labels', ['x']) }),
    connector.processMessage({ event: 'update', data: update(named('c', ['y']), '/name', 'b') }),
  ]
  await until('the create', () => connector.seen.some(({ hook }) => hook === 'create'))
  connector.mayGoOn.resolve()
  await Promise.all(outcomes)
  const updates = connector.seen.filter(({ hook }) => hook === 'update')
  expect(updates.map(({ context }) => context.changed)).toEqual([['name', 'labels']])
  expect(updates[0]!.context.previous()).toEqual(named('a', ['x']))
  expect(updates[0]!.context.entity).toEqual(named('c', ['y']))
})

test('does not call the source of a merge changed by it', async () => {
  const connector = witness(Witness)
  const source = buildIndicator('domain', { seed: 2, name: 'source' })
  await connector.processMessage({ event: 'create', data: source })
  await connector.processMessage({ event: 'create', data: indicator })
  const { context } = envelope
  const data = { ...envelope, type: 'merge', context: { ...context, sources: [source] } }
  await connector.processMessage({ event: 'merge', data })
  const [update, removal] = ['update', 'delete'].map(
    (hook) => connector.seen.find((each) => each.hook === hook)!.context,
  )
  expect([update!.changed, update!.previous()]).toEqual([['name'], { ...indicator, name: 'old' }])
  expect([removal!.changed, removal!.previous()]).toEqual([[], undefined])
})

test('is the text from the wire on a live stream', async () => {
  const simulator = await startSimulator()
  const env = simulator.environment({ CONNECTOR_LIVE_STREAM_RECOVER: 'false' })
  const connector = new Witness({ env, store: new MemoryStore(), logger: silentLogger })
  onTestFinished(() => connector.stop())
  await connector.start()
  const created = simulator.create(buildIndicator('domain', { seed: 3 }))
  simulator.update(created.id, { name: 'renamed' })
  const { context } = await until('the update', () => connector.seen.find(({ hook }) => hook === 'update'))
  expect(context.patch.map(({ path }) => path)).toContain('/name')
  const sent = simulator.history.findLast(({ data }) => data.id === created.id)!
  expect(JSON.parse(context.raw).data).toEqual(JSON.parse(JSON.stringify(sent.data)))
})

test('the idempotency key is the same in every attempt of a call, and no other call has it', async () => {
  const keys: string[] = []
  class Fails extends Witness {
    override create(_: Entity, { idempotencyKey }: EventContext): void {
      keys.push(idempotencyKey)
      if (keys.length < 3) throw Object.assign(new Error('status 503'), { status: 503 })
    }
  }
  const env = { ...minimalEnvironment, CONNECTOR_RETRY_BASE_MS: '1', CONNECTOR_RETRY_MAX_MS: '2' }
  const connector = new Fails({ env, store: new MemoryStore(), logger: silentLogger })
  onTestFinished(() => connector.stop())
  await connector.processMessage({ event: 'create', id: '1000-0', data: indicator })
  await connector.processMessage({ event: 'update', id: '1001-0', data: envelope })
  const update = connector.seen.find(({ hook }) => hook === 'update')
  expect(keys).toEqual([keys[0], keys[0], keys[0]])
  expect(update!.context.idempotencyKey).not.toBe(keys[0])
})

test('a dependency that has changed since the last start is newer than what was stored with the same event', async () => {
  const simulator = await startSimulator()
  simulator.stream.filter = ({ type }) => type === 'indicator'
  const author = buildIdentity({ seed: 7 })
  simulator.load([author, buildIndicator('domain', { seed: 1, created_by_ref: author.id })])
  /** What a catch-up tells of the author: in this stream, only what the indicator brings with it. */
  const told = async () => {
    const env = simulator.environment({
      // The platform keeps the position of each connector.
      CONNECTOR_ID: randomUUID(),
      CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
    })
    const connector = new Witness({ env, store: new MemoryStore(), logger: silentLogger })
    onTestFinished(() => connector.stop())
    await connector.start()
    const isAuthor = ({ hook, context }: Witness['seen'][number]) =>
      hook === 'create' && context.entityId === author.id
    await until('the author', () => connector.seen.some(isAuthor))
    await connector.stop()
    const { context } = connector.seen.find(isAuthor)!
    expect(context.isDependency).toBe(true)
    return context
  }
  const first = await told()
  expect(first.comesAfter(undefined)).toBe(true)
  const again = await told()
  expect(again.comesAfter(first.position)).toBe(false)
  simulator.update(author.id, { description: 'has changed' })
  const changed = await told()
  expect(changed.entity).toMatchObject({ description: 'has changed' })
  expect(changed.comesAfter(first.position)).toBe(true)
  expect(first.comesAfter(changed.position)).toBe(true) // a state counts as newer than any other
})
