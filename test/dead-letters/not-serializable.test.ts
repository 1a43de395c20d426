import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  DeadLetters,
  MemoryStore,
  PermanentError,
  StreamConnector,
  type Entity,
  type FlushOperation,
  type StateStore,
} from 'opencti-stream-connector'
import { fastClock } from '../fixtures/fast-clock.ts'
import { until } from '../fixtures/until.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { exportedLetter } from '../../src/dead-letters/exported-dead-letter.ts'
import { describeLetter } from '../../src/cli/dead-letter-text.ts'

const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`

/** An event as the platform writes it. */
const frame = (name: string, more = '') =>
  `{"version":"4","type":"create","message":"","data":{"id":"indicator--${name}","type":"indicator"${more}}}`

/** What an author may do to an entity that JSON cannot show. */
const spoilers: Record<string, (entity: Record<string, unknown>) => void> = {
  'nested 5,000 deep': () => {},
  'with a BigInt on it': (entity) => (entity['size'] = 12n),
  'with a cycle': (entity) => (entity['self'] = entity),
  'with a toJSON that throws': (entity) => {
    entity['toJSON'] = () => {
      throw new Error('not me')
    }
  },
}

/** The dead letters, once there are any. */
async function writtenLetters(store: StateStore) {
  await until('the dead letter', async () => (await store.countDeadLetters()) > 0)
  return store.deadLetters({ limit: 10 })
}

class Refusing extends StreamConnector {
  static override readonly defaults = { name: 'Refusing', retry: { baseMs: 1, maxMs: 5 } }
  spoil: (entity: Record<string, unknown>) => void = () => {}
  readonly taken: string[] = []

  transform(entity: Entity): Entity {
    if (entity.id.endsWith('bad')) this.spoil(entity as unknown as Record<string, unknown>)
    return entity
  }

  override create(item: Entity): void {
    if (item.id.endsWith('bad')) throw new PermanentError('the target refuses it')
    this.taken.push(item.id)
  }
}

class RefusingBatches extends Refusing {
  static override readonly defaults = {
    ...Refusing.defaults,
    batch: { maxItems: 2, maxBytes: 1_000_000, maxWaitMs: 5 },
  }

  override flush(operations: readonly FlushOperation<Entity>[]) {
    for (const { item } of operations)
      if (item !== undefined && !item.id.endsWith('bad')) this.taken.push(item.id)
    return operations.map(({ item }) =>
      item?.id.endsWith('bad') === true ? ({ status: 'reject', reason: 'refused' } as const) : 'ok',
    )
  }
}

for (const [how, made] of Object.entries({ 'one at a time': Refusing, 'in batches': RefusingBatches })) {
  describe(`an entity that cannot be serialized, ${how}`, () => {
    for (const [what, spoil] of Object.entries(spoilers)) {
      test(`${what}: becomes a dead letter with the text of its frame, and later events arrive`, async () => {
        const store = new MemoryStore()
        const connector = new made({
          env: minimalEnvironment,
          directory: tmpdir(),
          clock: fastClock(),
          store,
        })
        onTestFinished(() => connector.stop())
        connector.spoil = spoil
        const bad = what.startsWith('nested') ? frame('bad', `,"x":${deep}`) : frame('bad')
        const messages = [
          { event: 'create', id: '1000-0', data: frame('one') },
          { event: 'create', id: '1001-0', data: bad },
          { event: 'create', id: '1002-0', data: frame('two') },
        ]
        await connector.processMessages(messages)
        expect(connector.taken.toSorted()).toEqual(['indicator--one', 'indicator--two'])
        const [letter] = await writtenLetters(store)
        expect(letter).toMatchObject({ entityId: 'indicator--bad', position: '1001-0', data: bad })
        // It can be looked at and handed on.
        expect(JSON.stringify(exportedLetter(letter!))).toContain('indicator--bad')
        expect(describeLetter(letter!)).toContain('indicator--bad')
        expect(await new DeadLetters(store).requestReplay('all')).toMatchObject({ requested: 1 })
      })
    }
  })
}

test('keeps as much of an error of ten million characters as a person reads', async () => {
  const store = new MemoryStore()
  class Verbose extends Refusing {
    override create(): void {
      throw new PermanentError(`it said: ${'x'.repeat(10_000_000)}`)
    }
  }
  const connector = new Verbose({ env: minimalEnvironment, directory: tmpdir(), clock: fastClock(), store })
  onTestFinished(() => connector.stop())
  await connector.processMessage({ event: 'create', id: '1001-0', data: frame('long') })
  const [letter] = await writtenLetters(store)
  expect(letter!.error).toMatch(/^it said: x+…$/)
  expect(letter!.error.length).toBeLessThan(5000)
})
