import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { type z } from 'zod'
import {
  MemoryStore,
  silentLogger,
  StreamConnector,
  tlpMarkingIds,
  type Entity,
  type EventContext,
  type FlushOperation,
} from 'opencti-stream-connector'
import {
  buildIndicator,
  buildMalware,
  buildRelationship,
  type BuiltObject,
} from 'opencti-stream-connector/testing'
import { definitionOf, innerOf } from '../../src/settings/schemas/inner-schema.ts'
import { connectorSchema } from '../../src/settings/schemas/connector-schema.ts'
import { deliveryFields, sectionFields } from '../../src/settings/schemas/setting-field.ts'
import { createLogger } from '../../src/observe/log/create-logger.ts'
import { Redactor } from '../../src/util/redactor.ts'
import { fastClock } from '../fixtures/fast-clock.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

/** A target that writes down what it is asked for, and fails as a test wants it. */
class Target extends StreamConnector {
  static override readonly defaults = { retry: { attempts: 1, baseMs: 1, maxMs: 1 } }
  readonly calls: string[] = []
  onCall: (hook: string) => unknown = () => undefined
  orphans: { stixId: string; externalId: string; isOurs: boolean }[] = []
  transform(entity: Entity) {
    return entity
  }
  async #call(hook: string) {
    this.calls.push(hook)
    await this.onCall(hook)
  }
  override create(): Promise<void> {
    return this.#call('create')
  }
  override update(): Promise<void> {
    return this.#call('update')
  }
  override delete(context: EventContext): Promise<void> {
    return this.#call(`delete ${context.reason}`)
  }
  override list() {
    return this.orphans
  }
}

class BulkTarget extends Target {
  override async flush(operations: readonly FlushOperation<Entity>[]) {
    for (const { kind } of operations) this.calls.push(kind)
  }
}

type Message = readonly [event: 'create' | 'update' | 'delete', data: object]

/** A connector with this one setting. */
async function made<T extends Target>(
  Class: new (...options: ConstructorParameters<typeof Target>) => T,
  environment: Record<string, string>,
): Promise<T> {
  const simulator = await startSimulator()
  const connector = new Class({
    env: simulator.environment({ CONNECTOR_STOP_GRACE_MS: '100', ...environment }),
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    logger: silentLogger,
  })
  onTestFinished(() => connector.stop())
  return connector
}

/** What became of messages, one after the other, and what the target was asked for. */
async function outcomeOf(connector: Target, messages: readonly Message[]): Promise<string> {
  const outcomes: string[] = []
  for (const [event, data] of messages) {
    const outcome = await connector.processMessage({ event, data: data as BuiltObject<'indicator'> })
    outcomes.push('reason' in outcome ? `${outcome.kind} ${outcome.reason}` : outcome.kind)
  }
  return [...outcomes, ...connector.calls].join(' | ')
}

const indicator = buildIndicator('domain')
const changed = (changes: object): object => ({ ...indicator, ...changes })
const marked = (...refs: string[]) => changed({ object_marking_refs: refs })
const everyTlp = Object.values(tlpMarkingIds).map((id): Message => ['create', marked(id)])

/** What shows that a value has a reader: whatever is answered must differ from value to value. */
type Experiment = (environment: Record<string, string>) => Promise<string>

const told =
  (...messages: readonly Message[]): Experiment =>
  async (environment) =>
    outcomeOf(await made(Target, environment), messages)

const experiments: Readonly<Record<string, Experiment>> = {
  CONNECTOR_ON_REVOKED: told(['create', indicator], ['update', changed({ revoked: true })]),
  CONNECTOR_ON_EXPIRED: told(
    ['create', indicator],
    ['update', changed({ valid_until: '2020-01-01T00:00:00.000Z' })],
  ),
  CONNECTOR_ON_DELETE_MISSING: async (environment) => {
    const connector = await made(Target, environment)
    connector.onCall = (hook) => {
      if (hook.startsWith('delete')) throw errorWithStatus(404)
    }
    return outcomeOf(connector, [
      ['create', indicator],
      ['delete', indicator],
    ])
  },
  CONNECTOR_ON_CREATE_EXISTING: async (environment) => {
    const connector = await made(Target, environment)
    connector.onCall = (hook) => {
      if (hook === 'create') throw errorWithStatus(409)
    }
    return outcomeOf(connector, [['create', indicator]])
  },
  CONNECTOR_RETRY_EXHAUSTED: async (environment) => {
    const connector = await made(Target, environment)
    connector.onCall = () => {
      throw new Error('it does not work')
    }
    return outcomeOf(connector, [['create', indicator]]).catch(() => 'stopped')
  },
  CONNECTOR_COALESCE: async (environment) => {
    const connector = await made(Target, environment)
    const gate = Promise.withResolvers<void>()
    connector.onCall = () => gate.promise
    const messages = ['one', 'two', 'three'].map((name) =>
      connector.processMessage({ event: 'update', data: changed({ name }) as never }),
    )
    await until('the first call', () => connector.calls.length === 1)
    gate.resolve()
    return (await Promise.all(messages)).map(({ kind }) => kind).join()
  },
  CONNECTOR_ORDERING: async (environment) => {
    const connector = await made(Target, environment)
    const gate = Promise.withResolvers<void>()
    let isFirst = true
    connector.onCall = () => {
      const wait = isFirst
      isFirst = false
      return wait ? gate.promise : undefined
    }
    const tied = buildRelationship(indicator, 'indicates', buildMalware())
    const ended: string[] = []
    const messages = [indicator, tied, buildIndicator('ipv4', { seed: 9 })].map((data) =>
      connector.processMessage({ event: 'create', data }).then(() => ended.push(data.type)),
    )
    await until('the first call', () => connector.calls.length > 0)
    // What can go on without the first has done so by then.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    const before = ended.join()
    gate.resolve()
    await Promise.all(messages)
    return before
  },
  CONNECTOR_BATCH_DEDUPE: async (environment) => {
    const connector = await made(BulkTarget, environment)
    const data = ['one', 'two', 'three'].map((name) => ({
      event: 'update' as const,
      data: changed({ name }) as never,
    }))
    await connector.processMessages(data)
    return connector.calls.join()
  },
  CONNECTOR_RECONCILE_ORPHANS: async (environment) => {
    const connector = await made(Target, environment)
    connector.orphans = [{ stixId: indicator.id, externalId: 'o-1', isOurs: true }]
    await connector.start()
    const { orphans, orphansWithdrawn } = await connector.reconcile()
    return `${orphans} ${orphansWithdrawn}`
  },
  CONNECTOR_FILTER_MAX_TLP: told(...everyTlp),
  CONNECTOR_FILTER_MIN_TLP: told(...everyTlp),
  CONNECTOR_FILTER_UNKNOWN_MARKINGS: (environment) =>
    told(['create', marked('marking-definition--0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')])({
      ...environment,
      CONNECTOR_FILTER_MAX_TLP: 'TLP:RED',
    }),
  CONNECTOR_FILTER_REVOKED: (environment) =>
    told(
      ['create', changed({ revoked: true })],
      ['create', buildIndicator('ipv4')],
    )({
      ...environment,
      CONNECTOR_ON_REVOKED: 'update',
    }),
  CONNECTOR_FILTER_INFERRED: (environment) => {
    const [id, extension] = Object.entries(indicator.extensions!)[0]!
    const inferred = changed({ extensions: { [id]: { ...(extension as object), is_inferred: true } } })
    return told(['create', inferred], ['create', buildIndicator('ipv4')])(environment)
  },
  CONNECTOR_LOG_LEVEL: async (environment) => {
    const connector = await made(Target, environment)
    const lines: string[] = []
    const logger = createLogger({
      name: 'x',
      level: connector.settings.connector.log_level,
      json: true,
      redactor: new Redactor(),
      write: (line) => lines.push(line),
    })
    for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level](level)
    return String(lines.length)
  },
}

/** Two spellings of one value. */
const aliases: Readonly<Record<string, string>> = { warning: 'warn' }

/** The values that an option can have, where it has a few that are named. */
function valuesOf(schema: z.core.$ZodType): readonly string[] {
  const def = definitionOf(schema)
  if (def.type === 'enum') return Object.values(def.entries).map(String)
  if (def.type === 'union') return def.options.flatMap(valuesOf)
  if (def.type === 'literal') return def.values.map(String)
  const inner = innerOf(schema)
  return inner === undefined ? [] : valuesOf(inner)
}

const options = [...sectionFields('connector', connectorSchema), ...deliveryFields]
  .map(({ environment, schema }) => ({
    environment,
    values: valuesOf(schema).filter((value) => !(value in aliases)),
  }))
  // What has one value alone has nothing to be told apart from; 0 stands for "none" among numbers.
  .filter(({ values }) => values.length > 1)

test('every option with named values has a test', () => {
  expect(options.map(({ environment }) => environment).toSorted()).toEqual(
    Object.keys(experiments).toSorted(),
  )
})

test.each(options)('each value of $environment changes what happens', async ({ environment, values }) => {
  const seen = new Map<string, string>()
  for (const value of values) {
    const outcome = await experiments[environment]!({ [environment]: value })
    expect(seen.get(outcome), `${value} does what this does: ${outcome}`).toBeUndefined()
    seen.set(outcome, value)
  }
})

test('an indicator that is left alone stays at the target, and a delete still removes it', async () => {
  for (const [setting, end] of [
    ['CONNECTOR_ON_REVOKED', { revoked: true }],
    ['CONNECTOR_ON_EXPIRED', { valid_until: '2020-01-01T00:00:00.000Z' }],
  ] as const) {
    const connector = await made(Target, { [setting]: 'skip' })
    const reason = setting === 'CONNECTOR_ON_REVOKED' ? 'revoked' : 'expired'
    const never = { ...buildIndicator('ipv4'), ...end }
    const messages: Message[] = [
      ['create', never],
      ['create', indicator],
      ['update', changed(end)],
      ['delete', changed(end)],
    ]
    expect(await outcomeOf(connector, messages)).toBe(
      `skipped ${reason} | delivered | skipped ${reason} | delivered | create | delete deleted`,
    )
  }
})
