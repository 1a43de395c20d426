import { tmpdir } from 'node:os'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base'
import {
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type FlushOperation,
  MemoryStore,
  PermanentError,
  silentLogger,
  SkipEvent,
  StreamConnector,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect, onTestFinished, test } from 'vitest'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { lastEventOf, startRecorder, startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { minimalEnvironment } from '../../fixtures/minimal-environment.ts'
import { Tracing } from '../../../src/observe/tracing/tracing.ts'
import { loadTracingApi } from '../../../src/observe/tracing/tracing-api.ts'
import { textOf, watchSpans } from '../watched.ts'

/** A connector whose `create` is what the test says. */
class Target extends StreamConnector {
  onCreate: (entity: Entity, context: EventContext) => unknown = () => undefined

  transform(entity: Entity): Entity {
    return entity
  }

  override async create(entity: Entity, context: EventContext): Promise<void> {
    await this.onCreate(entity, context)
  }
}

function make<Connector extends StreamConnector>(
  connectorClass: new (options: ConnectorOptions) => Connector,
  env: Record<string, string> = {},
): Connector {
  const connector = new connectorClass({
    env: { ...minimalEnvironment, ...env },
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    logger: silentLogger,
  })
  onTestFinished(() => connector.stop())
  return connector
}

const message = (seed = 1) => ({
  event: 'create',
  data: buildIndicator('ipv4', { seed }),
  id: `${1_700_000_000_000 + seed}-0`,
})

test('an event is one span from its acceptance to its end, with a span below it for each hook', async () => {
  const spans = watchSpans()
  const connector = make(Target)
  connector.onCreate = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    // As the instrumentation of an HTTP client does.
    trace.getTracer('http').startSpan('POST').end()
  }
  const sent = message()
  await connector.processMessage(sent)
  const [event] = spans.named('event create')
  const [transform] = spans.named('hook transform')
  const [create] = spans.named('hook create')
  const [request] = spans.named('POST')
  expect(event!.kind).toBe(SpanKind.CONSUMER)
  expect(event!.parentSpanContext).toBeUndefined()
  expect(event!.instrumentationScope.name).toBe('opencti-stream-connector')
  expect(event!.attributes).toEqual({
    'messaging.system': 'opencti',
    'messaging.operation.type': 'process',
    'messaging.message.id': sent.id,
    'messaging.destination.name': minimalEnvironment.CONNECTOR_LIVE_STREAM_ID,
    'opencti.connector.id': minimalEnvironment.CONNECTOR_ID,
    'opencti.event.name': 'create',
    'opencti.entity.id': sent.data.id,
    'opencti.entity.type': 'indicator',
    'opencti.outcome': 'delivered',
    'opencti.attempts': 1,
  })
  expect(event!.status.code).toBe(SpanStatusCode.UNSET)
  const eventId = event!.spanContext().spanId
  expect(transform!.parentSpanContext?.spanId).toBe(eventId)
  expect(create!.parentSpanContext?.spanId).toBe(eventId)
  expect(create!.attributes).toMatchObject({ 'opencti.operation': 'create', 'opencti.attempt': 1 })
  expect(request!.parentSpanContext?.spanId).toBe(create!.spanContext().spanId)
})

test('records failed attempts without secrets, and passes the error on unchanged', async () => {
  const spans = watchSpans()
  const connector = make(Target)
  const secret = minimalEnvironment.OPENCTI_TOKEN
  const error = new TypeError(`fetch failed: token ${secret}`, { cause: new Error(`behind ${secret}`) })
  connector.onCreate = (_, { attempt }) => {
    if (attempt < 3) throw Object.assign(error, { code: 'ECONNRESET' })
  }
  expect(await connector.processMessage(message())).toEqual({ kind: 'delivered' })
  const [event] = spans.named('event create')
  const hooks = spans.named('hook create')
  expect(hooks.map(({ status }) => status.code)).toEqual([
    SpanStatusCode.ERROR,
    SpanStatusCode.ERROR,
    SpanStatusCode.UNSET,
  ])
  expect(hooks.map(({ attributes }) => attributes['opencti.attempt'])).toEqual([1, 2, 3])
  expect(hooks[0]!.events[0]!.attributes!['exception.stacktrace']).toContain('[redacted]')
  expect(event!.events.map(({ name }) => name)).toEqual(['attempt failed', 'attempt failed'])
  expect(event!.events[1]!.attributes).toMatchObject({ 'opencti.hook': 'create', 'opencti.attempt': 2 })
  expect(event!.attributes['opencti.attempts']).toBe(3)
  expect(event!.status.code).toBe(SpanStatusCode.UNSET)
  expect(textOf(spans.all())).not.toContain(secret)
  expect(error.message).toContain(secret)
})

test('the end of an event says why: dead-lettered is an error, skipped is not', async () => {
  const spans = watchSpans()
  const connector = make(Target, { CONNECTOR_FILTER_LABELS: 'wanted' })
  const labeled = (seed: number) => ({
    event: 'create',
    data: buildIndicator('ipv4', { seed, labels: ['wanted'] }),
  })
  connector.onCreate = () => {
    throw new PermanentError(`not with ${minimalEnvironment.OPENCTI_TOKEN}`)
  }
  await connector.processMessage(labeled(1))
  connector.onCreate = () => {
    throw new SkipEvent('not today')
  }
  await connector.processMessage(labeled(2))
  await connector.processMessage({ event: 'create', data: '{' })
  await connector.processMessage({ event: 'surprise', data: '{}' })
  const ends = spans.all().filter(({ name }) => name.startsWith('event'))
  expect(ends.map(({ attributes }) => attributes['opencti.outcome'])).toEqual([
    'dead-lettered',
    'skipped',
    'dead-lettered',
    'skipped',
  ])
  expect(ends.map(({ attributes }) => attributes['opencti.outcome.reason'])).toEqual([
    'not with [redacted]',
    'not today',
    'the frame is not valid JSON',
    'unknown-event',
  ])
  expect(ends.map(({ status }) => status.code)).toEqual([2, 0, 2, 0])
  expect(spans.named('hook create').map(({ status }) => status.code)).toEqual([2, 0])
})

test('a batch has its own span with links to its events, and each event knows the outcome of its item', async () => {
  class Bulk extends StreamConnector {
    transform(entity: Entity): Entity {
      return entity
    }
    override flush(operations: readonly FlushOperation<Entity>[]) {
      return operations.map(({ context }) =>
        context.attempt === 1 && context.entityId === bad.data.id
          ? ({ status: 'retry', error: new Error('full') } as const)
          : ({ status: 'ok' } as const),
      )
    }
  }
  const spans = watchSpans()
  const bad = message(2)
  const connector = make(Bulk, { CONNECTOR_BATCH_MAX_WAIT_MS: '5000' })
  await Promise.all([connector.processMessage(message(1)), connector.processMessage(bad)])
  const events = spans.named('event create')
  const links = spans.named('hook flush').flatMap((span) => span.links)
  const linked = new Set(links.map(({ context }) => context.spanId))
  expect(linked).toEqual(new Set(events.map((event) => event.spanContext().spanId)))
  for (const flush of spans.named('hook flush')) expect(flush.parentSpanContext).toBeUndefined()
  const event = events.find(({ attributes }) => attributes['opencti.entity.id'] === bad.data.id)!
  expect(event.events.map(({ name }) => name)).toEqual(['attempt failed'])
  expect(event.attributes).toMatchObject({ 'opencti.attempts': 2, 'opencti.outcome': 'delivered' })
})

test('a hook that takes too long ends its span at the time limit', async () => {
  const spans = watchSpans()
  const connector = make(Target, { CONNECTOR_HOOK_TIMEOUT_MS: '1000' })
  connector.onCreate = (_, { attempt, signal }) =>
    attempt === 1
      ? new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        )
      : undefined
  await connector.processMessage(message())
  const [first] = spans.named('hook create')
  expect(first!.status.message).toContain('CONNECTOR_HOOK_TIMEOUT_MS')
})

test('events of the stream begin their own traces, and unfinished ones are given up when the connector stops', async () => {
  const spans = watchSpans()
  const simulator = await startSimulator()
  const tracer = trace.getTracer('program')
  const recorder = await tracer.startActiveSpan('start', (span) =>
    startRecorder(simulator, { env: { CONNECTOR_STOP_GRACE_MS: '1' } }).finally(() => span.end()),
  )
  await until('the end of the catch-up', () => !recorder.status().catchingUp)
  const done = buildIndicator('ipv4', { seed: 1 })
  const stuck = buildIndicator('ipv4', { seed: 2 })
  recorder.onCall = ({ entityId }) => (entityId === stuck.id ? new Promise(() => {}) : undefined)
  simulator.create(done)
  simulator.create(stuck)
  await until('both', () => recorder.calls.some(({ entityId }) => entityId === done.id))
  await until('the second', () => recorder.status().inFlight === 1)
  const stuckAt = lastEventOf(simulator, stuck.id)
  await recorder.stop()
  const of = (entityId: string) =>
    spans.named('event create').find(({ attributes }) => attributes['opencti.entity.id'] === entityId)!
  expect(of(done.id).parentSpanContext).toBeUndefined()
  expect(of(done.id).attributes['opencti.outcome']).toBe('delivered')
  expect(of(stuck.id).attributes).toMatchObject({
    'opencti.outcome': 'unfinished',
    'messaging.message.id': stuckAt,
    'messaging.destination.name': simulator.environment()['CONNECTOR_LIVE_STREAM_ID'],
  })
})

test('a message that a program feeds within a span is below it', async () => {
  const spans = watchSpans()
  const connector = make(Target)
  await trace.getTracer('program').startActiveSpan('import', async (span) => {
    await connector.processMessage(message())
    span.end()
  })
  const [parent] = spans.named('import')
  expect(spans.named('event create')[0]!.parentSpanContext?.spanId).toBe(parent!.spanContext().spanId)
})

test('an event that a sampler leaves out costs no records and changes nothing', async () => {
  const spans = watchSpans(new AlwaysOffSampler())
  const connector = make(Target)
  connector.onCreate = (_, { attempt }) => {
    if (attempt === 1) throw new Error('once')
  }
  expect(await connector.processMessage(message())).toEqual({ kind: 'delivered' })
  expect(spans.all()).toEqual([])
})

const makeTracing = (load: () => ReturnType<typeof loadTracingApi>, warnings: string[] = []) =>
  new Tracing({
    settings: { id: 'one', live_stream_id: undefined },
    logger: { ...silentLogger, warn: (text) => warnings.push(text) },
    clean: (text) => text,
    load,
  })

test('does nothing if no provider is registered, or the API is not installed', async () => {
  const withoutProvider = makeTracing(loadTracingApi)
  await withoutProvider.open()
  expect(withoutProvider.begin('create', '1-0', true)).toBeUndefined()
  expect(withoutProvider.batch([])).toBeUndefined()
  watchSpans()
  const withProvider = makeTracing(loadTracingApi)
  await withProvider.open()
  expect(withProvider.begin('create', '1-0', true)).toBeDefined()
  const notInstalled = makeTracing(() => loadTracingApi('@opentelemetry/not-installed'))
  await notInstalled.open()
  expect(notInstalled.begin('create', '1-0', true)).toBeUndefined()
})

test('reports a broken installation, and nothing more', async () => {
  const warnings: string[] = []
  const broken = makeTracing(() => Promise.reject(new SyntaxError('unexpected token')), warnings)
  await broken.open()
  expect(broken.begin('create', '1-0', true)).toBeUndefined()
  expect(warnings).toEqual(['OpenTelemetry cannot be used; continuing without it'])
})
