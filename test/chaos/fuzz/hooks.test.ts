import * as fc from 'fast-check'
import { tmpdir } from 'node:os'
import {
  MemoryStore,
  StreamConnector,
  type ConnectorOptions,
  type Entity,
  type FlushOperation,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect } from 'vitest'
import { silentLogger } from '../../../src/util/logger.ts'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { until } from '../../fixtures/until.ts'
import { startPlatform } from './stage.ts'
import { testFuzz } from './test-fuzz.ts'

function fails(): never {
  throw new Error('then')
}

function withThen(property: PropertyDescriptor): object {
  // oxlint-disable-next-line no-thenable -- careless authors return such things
  return Object.defineProperty({}, 'then', property)
}

/** Results and errors of careless hooks, by a name for failures. */
const oddities: Readonly<Record<string, () => unknown>> = {
  nothing: () => undefined,
  null: () => null,
  'an empty text': () => '',
  'not a number': () => Number.NaN,
  'minus zero': () => -0,
  'a big integer': () => 10n ** 400n,
  'a symbol': () => Symbol('odd'),
  'a function': () => () => 'x',
  'a long text': () => 'x'.repeat(3_000_000),
  'half a character': () => '\ud800',
  'a cycle': () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    return cycle
  },
  'a deep value': () => JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown,
  'a getter that throws': () => ({
    get id(): never {
      throw new Error('read')
    },
    get status(): never {
      throw new Error('read')
    },
    get message(): never {
      throw new Error('read')
    },
  }),
  'a toJSON that throws': () => ({
    toJSON() {
      throw new Error('json')
    },
  }),
  'a proxy that throws': () =>
    new Proxy(
      {},
      {
        get() {
          throw new TypeError('trap')
        },
        has() {
          throw new TypeError('trap')
        },
        ownKeys() {
          throw new TypeError('trap')
        },
        getPrototypeOf() {
          throw new TypeError('trap')
        },
      },
    ),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'no prototype': () => Object.create(null) as unknown,
  'a thenable that rejects': () =>
    withThen({ value: (_: unknown, reject: (reason: unknown) => void) => reject('no') }),
  'a thenable that throws': () => withThen({ value: fails }),
  'a then that throws when it is read': () => withThen({ get: fails }),
  'a promise of a promise': () => Promise.resolve(Promise.resolve(7)),
  'a rejected promise': () => {
    const rejected = Promise.reject(Object.create(null))
    // Thrown instead of returned, it is a promise that is never awaited.
    rejected.catch(() => {})
    return rejected
  },
  'an endless list': () => ({
    *[Symbol.iterator]() {
      for (;;) yield 'ok'
    },
    length: 1e9,
  }),
  'a list with holes': () => Object.assign([], { length: 5 }),
  'odd answers': () => [
    null,
    7,
    { status: 'no' },
    { status: 'retry', afterMs: -1 },
    { status: 'ok', externalId: {} },
  ],
  'an error whose message is an object': () => Object.assign(new Error('x'), { message: { a: 1n } }),
  'an error that causes itself': () => {
    const error = new Error('round')
    error.cause = error
    return error
  },
  'an error with odd facts': () =>
    Object.assign(new Error('x'), {
      status: '5xx',
      code: {},
      retryAfterMs: Number.NaN,
      response: 7,
      headers: null,
    }),
  'an error that asks to wait for ever': () =>
    Object.assign(new Error('x'), {
      status: 400,
      retryAfterMs: Infinity,
      response: { headers: { 'retry-after': '9'.repeat(99) } },
    }),
}

const oddity = fc.constantFrom(...Object.keys(oddities))
const where = fc.constantFrom('transform', 'create', 'flush')
const inputs = fc.record({
  isBulk: fc.boolean(),
  bad: fc.array(fc.record({ where, oddity, isThrown: fc.boolean() }), { minLength: 1, maxLength: 3 }),
})

/** The outcome of the entity with this name only. */
class Odd extends StreamConnector {
  static override readonly defaults = {
    name: 'Odd',
    filter: { types: ['indicator'] },
    retry: { baseMs: 10, maxMs: 50 },
    batch: { maxItems: 4, maxWaitMs: 100 },
  }
  readonly taken = new Set<string>()
  readonly #bad: ReadonlyMap<string, (hook: string) => unknown>

  constructor(options: ConnectorOptions, bad: ReadonlyMap<string, (hook: string) => unknown>) {
    super(options)
    this.#bad = bad
  }

  transform(entity: Entity): Entity {
    const odd = this.#bad.get(entity.id)?.('transform')
    return odd === undefined ? entity : (odd as Entity)
  }

  override create(_item: Entity, context: { entityId: string }): Promise<void> {
    const odd = this.#bad.get(context.entityId)?.('create')
    this.taken.add(context.entityId)
    return (odd ?? Promise.resolve()) as Promise<void>
  }
}

class OddBulk extends Odd {
  static override readonly defaults = Odd.defaults
  readonly #odd: ReadonlyMap<string, (hook: string) => unknown>

  constructor(options: ConnectorOptions, bad: ReadonlyMap<string, (hook: string) => unknown>) {
    super(options, bad)
    this.#odd = bad
  }

  override flush(operations: readonly FlushOperation<Entity>[]): never {
    for (const { context } of operations) {
      const odd = this.#odd.get(context.entityId)?.('flush')
      if (odd === undefined) continue
      // It also says that all were accepted.
      if (odd === null) this.#take(operations)
      return odd as never
    }
    this.#take(operations)
    return undefined as never
  }

  #take(operations: readonly FlushOperation<Entity>[]): void {
    for (const { context } of operations) this.taken.add(context.entityId)
  }
}

testFuzz(
  'whatever hooks return or throw, each event ends in the counters, and the others are delivered',
  inputs,
  async (input) => {
    await using simulator = await startPlatform()
    const bad = new Map<string, (hook: string) => unknown>()
    const entities = input.bad.map((_, index) => buildIndicator('ipv4', { seed: index + 1 }))
    for (const [index, { where: hook, oddity: name, isThrown }] of input.bad.entries())
      bad.set(entities[index]!.id, (called) => {
        if (called !== hook) return undefined
        if (isThrown) throw oddities[name]!()
        return oddities[name]!()
      })
    const options = {
      env: { ...simulator.environment(), CONNECTOR_LOG_LEVEL: 'error' },
      directory: tmpdir(),
      store: new MemoryStore(),
      clock: fastClock(),
      random: () => 0.5,
    }
    const connector = new (input.isBulk ? OddBulk : Odd)({ ...options, logger: silentLogger }, bad)
    try {
      await connector.start()
      for (const entity of entities) simulator.create(entity)
      // It counts against an event only while the target works for others.
      let seed = 100
      await until('the end of the bad ones', async () => {
        const { id } = simulator.create(buildIndicator('ipv4', { seed: seed++ }))
        await until('a good one', () => connector.taken.has(id) || connector.status().state !== 'running')
        return connector.status().inFlight === 0 || connector.status().state !== 'running'
      })
      const { received, delivered, skipped, deadLettered, inFlight, state } = connector.status()
      expect(state).toBe('running')
      expect(received).toBe(delivered + skipped + deadLettered + inFlight)
    } finally {
      await connector.stop()
    }
  },
)
