import { expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  StreamConnector,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type FlushOperation,
  type FlushResult,
  type Outcome,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { PerhapsPushed } from '../../src/id-map/perhaps-pushed.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'
import { fastClock } from '../fixtures/fast-clock.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'

/** A target that may do what it is asked, and whose answers may get lost. */
class Target {
  readonly entries = new Map<string, Entity>()
  readonly requests: string[] = []
  /** What becomes of each create, in order; the last one stays. */
  answers: ('done' | 'done, but lost' | 'refused')[] = ['done']

  create(entity: Entity, id: string): void {
    this.requests.push('POST')
    const [answer] = this.answers.length > 1 ? this.answers.splice(0, 1) : this.answers
    if (answer === 'refused') throw errorWithStatus(422)
    this.entries.set(id, entity)
    if (answer !== 'done') throw new Error('no answer')
  }

  delete(id: string): void {
    this.requests.push(`DELETE`)
    if (!this.entries.delete(id)) throw errorWithStatus(404)
  }
}

interface Options extends ConnectorOptions {
  readonly target: Target
}

/** Keeps entities under their own ids. */
class OwnIds extends StreamConnector {
  readonly target: Target

  constructor({ target, ...options }: Options) {
    super(options)
    this.target = target
  }
  transform(entity: Entity): Entity | undefined {
    return entity
  }
  override create(entity: Entity): string | void {
    this.target.create(entity, entity.id)
  }
  override update(entity: Entity): void {
    this.target.entries.set(entity.id, entity)
  }
  override delete({ entityId }: EventContext): void {
    this.target.delete(entityId)
  }
}

/** Keeps them under ids of the target, which it can ask for them. */
class Finding extends OwnIds {
  override create(entity: Entity): string {
    const id = `t${this.target.requests.length}`
    this.target.create(entity, id)
    return id
  }
  override find({ id }: Entity): string | undefined {
    return [...this.target.entries].find(([, entry]) => entry.id === id)?.[0]
  }
  override delete({ externalId }: EventContext): void {
    this.target.delete(externalId!)
  }
}

class Bulk extends OwnIds {
  override flush(operations: readonly FlushOperation<Entity>[]): readonly FlushResult[] {
    return operations.map(({ kind, item, context }) => {
      if (kind === 'delete') this.delete(context)
      else this.create(item!)
      return 'ok'
    })
  }
}

const indicator = buildIndicator('ipv4', { seed: 7 })

/** A life of a connector. */
function live(
  Class: new (options: Options) => OwnIds,
  target: Target,
  { store = new MemoryStore(), env = {} } = {},
) {
  const connector = new Class({
    target,
    env: {
      ...minimalEnvironment,
      CONNECTOR_RETRY_BASE_MS: '1',
      CONNECTOR_RETRY_MAX_MS: '1',
      CONNECTOR_BATCH_MAX_WAIT_MS: '1',
      ...env,
    },
    store,
    clock: fastClock(),
    logger: silentLogger,
  })
  onTestFinished(() => connector.stop())
  return {
    store,
    stop: () => connector.stop(),
    say: async (event: string) => told(await connector.processMessage({ event, data: indicator })),
  }
}

const told = (outcome: Outcome): string =>
  'reason' in outcome ? `${outcome.kind}: ${outcome.reason}` : outcome.kind

for (const Class of [OwnIds, Finding, Bulk]) {
  test(`${Class.name}: withdraws what a create without an answer may have left at the target`, async () => {
    const target = new Target()
    target.answers = ['done, but lost']
    const { say } = live(Class, target, { env: { CONNECTOR_RETRY_ATTEMPTS: '1' } })
    expect(await say('create')).toBe('dead-lettered: no answer')
    expect(target.entries.size).toBe(1)
    expect(await say('delete')).toBe('delivered')
    expect(target.entries.size).toBe(0)
  })
}

test('remembers it over a restart, and if the last attempt was refused', async () => {
  const target = new Target()
  target.answers = ['done, but lost', 'refused']
  const first = live(OwnIds, target)
  expect(await first.say('create')).toBe('dead-lettered: status 422')
  await first.stop()
  const { say } = live(OwnIds, target, { store: first.store })
  expect(await say('delete')).toBe('delivered')
  expect(target.entries.size).toBe(0)
  // It is gone for sure.
  expect(await say('delete')).toBe('skipped: never-pushed')
})

test('creates what comes again, under the usual rules, and then knows it', async () => {
  const target = new Target()
  target.answers = ['done, but lost', 'refused', 'done']
  const { say } = live(OwnIds, target)
  await say('create')
  expect(await say('update')).toBe('delivered')
  expect(target.requests).toEqual(['POST', 'POST', 'POST'])
  expect(await say('delete')).toBe('delivered')
  expect(await say('delete')).toBe('skipped: never-pushed')
})

test('never asks a target to remove what it has refused', async () => {
  const target = new Target()
  target.answers = ['refused']
  const { say } = live(OwnIds, target)
  expect(await say('create')).toBe('dead-lettered: status 422')
  expect(await say('delete')).toBe('skipped: never-pushed')
  expect(target.requests).toEqual(['POST'])
})

test('withdraws it too if the author no longer wants it', async () => {
  class Choosy extends OwnIds {
    wants = true
    override transform(entity: Entity): Entity | undefined {
      return this.wants ? entity : undefined
    }
    override create(entity: Entity): void {
      this.wants = false
      this.target.create(entity, entity.id)
    }
  }
  const target = new Target()
  target.answers = ['done, but lost']
  const { say } = live(Choosy, target)
  expect(await say('create')).toBe('delivered')
  expect(target.entries.size).toBe(0)
})

test('writes a change again if its commit may have failed, but never over a newer one', () => {
  const perhaps = new PerhapsPushed(() => {})
  perhaps.add('one')
  perhaps.add('two')
  expect([...perhaps.values(false).values()]).toEqual(['', ''])
  perhaps.remove('two')
  expect([...perhaps.values(true)]).toEqual([
    ['perhaps-pushed:two', undefined],
    ['perhaps-pushed:one', ''],
  ])
  expect(perhaps.values(false).size).toBe(0)
})

test('takes every unknown entity for one, once there are too many to remember', async () => {
  const store = new MemoryStore()
  await store.open('connector')
  const perhaps = new PerhapsPushed(() => {}, 2)
  for (const key of ['one', 'two', 'three']) perhaps.add(key)
  expect(perhaps.has('another')).toBe(true)
  await store.commit({ values: perhaps.values(false) })
  const next = new PerhapsPushed(() => {}, 2)
  await next.open(store)
  expect(next.has('another')).toBe(true)
  next.remove('one')
  expect([next.has('one'), next.has('two'), next.has('another')]).toEqual([false, true, false])
})
