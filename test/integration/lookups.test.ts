import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryStore, nameOf, RetryableError, type Entity, type EventContext } from 'opencti-stream-connector'
import {
  buildIdentity,
  buildIndicator,
  buildMarking,
  type Simulator,
  type StixObject,
} from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { Recorder, type RecorderOptions } from '../fixtures/recorder.ts'
import { caughtUp, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** A connector that needs the platform for each entity. */
class Reporter extends Recorder {
  readonly reports: string[] = []
  /** What is asked of the platform for an entity. */
  ask = async (entity: Entity, { signal }: EventContext): Promise<string> => {
    const author = await this.platform.authorOf(entity, { signal })
    return author?.name ?? 'nobody'
  }

  override async transform(entity: Entity, context: EventContext): Promise<Entity> {
    const name = await this.ask(entity, context)
    this.reports.push(`${nameOf(entity)} by ${name}`)
    return entity
  }
}

async function startReporter(
  simulator: Simulator,
  options: RecorderOptions & { env?: Record<string, string> } = {},
): Promise<Reporter> {
  const { env, ...rest } = options
  const reporter = new Reporter({
    env: { ...simulator.environment(), CONNECTOR_RETRY_ATTEMPTS: '2', ...env },
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    random: () => 0.5,
    ...rest,
  })
  onTestFinished(() => reporter.stop())
  await reporter.start()
  await caughtUp(reporter)
  return reporter
}

/** Indicators, each by an author of its own, so that each needs a lookup. */
function indicatorsOf(simulator: Simulator, count: number, from = 1): StixObject[] {
  return Array.from({ length: count }, (_, index) => {
    const seed = from + index
    const author = simulator.create(buildIdentity({ seed, name: `Author ${seed}` }))
    return simulator.create(buildIndicator('ipv4', { seed, created_by_ref: author.id }))
  })
}

const asked = (simulator: Simulator, operation: string) =>
  simulator.requests.filter((request) => request.kind === 'graphql' && request.operation === operation).length

test('a connector without lookups asks nothing', async () => {
  const simulator = await startSimulator()
  const reporter = await startReporter(simulator)
  reporter.ask = () => Promise.resolve('nobody')
  indicatorsOf(simulator, 3)
  await until('everything', () => reporter.status().delivered >= 6)
  expect(asked(simulator, 'identities') + asked(simulator, 'markingDefinitions')).toBe(0)
})

test('asks once for the author of many entities, and again when the stream says that the author has changed', async () => {
  const simulator = await startSimulator()
  const author = simulator.create(buildIdentity({ name: 'First' }))
  const reporter = await startReporter(simulator, { env: { CONNECTOR_FILTER_TYPES: 'indicator' } })
  const indicator = (seed: number) =>
    simulator.create(buildIndicator('ipv4', { seed, created_by_ref: author.id }))
  for (let seed = 1; seed <= 40; seed++) indicator(seed)
  await until('forty', () => reporter.reports.length === 40)
  expect(asked(simulator, 'identities')).toBe(1)
  expect(reporter.reports.every((line) => line.endsWith('by First'))).toBe(true)
  simulator.update(author.id, { description: 'nothing new' })
  simulator.update(author.id, { name: 'Second' })
  const renamed = simulator.entity(author.id)!
  simulator.create(buildIndicator('ipv4', { seed: 41, created_by_ref: renamed.id }))
  await until('one more', () => reporter.reports.length === 41)
  expect(reporter.reports.at(-1)).toMatch(/by Second$/)
  expect(asked(simulator, 'identities')).toBe(2)
})

test("asks for the authors of many events within the platform's limits, and loses no event", async () => {
  const simulator = await startSimulator()
  const reporter = await startReporter(simulator, {
    env: { CONNECTOR_FILTER_TYPES: 'indicator', CONNECTOR_CONCURRENCY: '24' },
  })
  const authors = Array.from({ length: 24 }, (_, index) =>
    simulator.create(buildIdentity({ seed: index + 1, name: `Author ${index}` })),
  )
  // Each waits for the others, so that all are asked for in one turn.
  const all = Promise.withResolvers<void>()
  let waiting = 0
  const { ask } = reporter
  reporter.ask = async (entity, context) => {
    if (++waiting === authors.length) all.resolve()
    await all.promise
    return ask.call(reporter, entity, context)
  }
  for (const [index, { id }] of authors.entries())
    simulator.create(buildIndicator('ipv4', { seed: index + 1, created_by_ref: id }))
  await until('all of them', () => reporter.reports.length === 24)
  expect(new Set(reporter.reports.map((line) => line.split(' by ')[1]))).toEqual(
    new Set(authors.map(({ name }) => name)),
  )
  expect(reporter.status()).toMatchObject({ deadLettered: 0 })
  expect(asked(simulator, 'identities')).toBe(1)
})

test('a platform outage while transform asks makes no dead letter, no outage of the target, and costs no attempts', async () => {
  const simulator = await startSimulator()
  const reporter = await startReporter(simulator, { env: { CONNECTOR_FILTER_TYPES: 'indicator' } })
  simulator.faults.failGraphql(1_000_000, { status: 503 })
  const indicators = indicatorsOf(simulator, 30)
  await until('the notice', () => reporter.notice('lookups-failed'))
  // Long enough for many more than the two attempts that are allowed.
  await until('many tries', () => reporter.status().retries > 150)
  const status = reporter.status()
  expect(status).toMatchObject({ deadLettered: 0, inFlight: 30, outage: undefined })
  expect(status.notReady).toContainEqual({
    part: 'platform',
    reason: expect.stringContaining('cannot answer (HTTP 503)') as string,
  })
  // While it is away it is not stormed: each try that reaches it is one, not one for each event.
  expect(asked(simulator, 'identities')).toBeLessThan(60)
  simulator.faults.clear()
  await until('everything', () => reporter.status().delivered === 30)
  expect(reporter.status()).toMatchObject({ deadLettered: 0, inFlight: 0, deadLettersKept: 0 })
  expect(reporter.notice('lookups-restored')).toBeDefined()
  expect(reporter.notice('paused')).toBeUndefined()
  expect(reporter.status().notReady).toEqual([])
  expect(reporter.calls.map(({ entityId }) => entityId).toSorted()).toEqual(
    indicators.map(({ id }) => id).toSorted(),
  )
})

test('a platform that goes away completely and comes back costs nothing either', async () => {
  const simulator = await startSimulator()
  const reporter = await startReporter(simulator, { env: { CONNECTOR_FILTER_TYPES: 'indicator' } })
  const gate = Promise.withResolvers<void>()
  const { ask } = reporter
  reporter.ask = async (...given) => {
    await gate.promise
    return ask(...given)
  }
  indicatorsOf(simulator, 20)
  await until('all of them', () => reporter.status().inFlight === 20)
  await simulator.faults.takePlatformDown()
  gate.resolve()
  await until('many tries', () => reporter.status().retries > 100)
  expect(reporter.status()).toMatchObject({ deadLettered: 0, delivered: 0, outage: undefined })
  await simulator.faults.bringPlatformUp()
  await until('everything', () => reporter.status().delivered === 20)
  expect(reporter.status().deadLettered).toBe(0)
})

test('a missing right holds events until it is given, even if the author wraps the error', async () => {
  const simulator = await startSimulator()
  const poor = simulator.users.add({
    capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'TAXIIAPI', 'MODULES'],
  })
  const reporter = await startReporter(simulator, {
    env: { OPENCTI_TOKEN: poor.token, CONNECTOR_FILTER_TYPES: 'indicator' },
  })
  const { ask } = reporter
  reporter.ask = (...given) =>
    ask(...given).catch((error: unknown) => {
      throw new Error('no author', { cause: error })
    })
  indicatorsOf(simulator, 3)
  await until('some tries', () => reporter.status().retries > 20)
  expect(reporter.status()).toMatchObject({ deadLettered: 0, outage: undefined })
  ;(poor.capabilities as Set<string>).add('KNOWLEDGE')
  await until('everything', () => reporter.status().delivered === 3)
})

test('retries what the platform answers with an error as often as allowed, then makes a dead letter, without delaying others', async () => {
  const simulator = await startSimulator()
  const reporter = await startReporter(simulator, { env: { CONNECTOR_FILTER_TYPES: 'indicator' } })
  const { ask } = reporter
  const first = buildIndicator('ipv4', { seed: 1 })
  reporter.ask = async (entity, context) => {
    if (entity.id === first.id) await reporter.platform.file('/storage/get/import/gone')
    return ask(entity, context)
  }
  indicatorsOf(simulator, 5)
  await until('everything', () => reporter.status().delivered + reporter.status().deadLettered === 5)
  expect(reporter.status()).toMatchObject({ delivered: 4, deadLettered: 1, outage: undefined })
  expect(simulator.requests.filter(({ kind }) => kind === 'file')).toHaveLength(2)
  expect(reporter.notice('dead-lettered')?.error).toContain('did not serve the file')
})

test('an outage of the target ends although the entity that probes it depends on a platform that is down', async () => {
  const simulator = await startSimulator()
  const reporter = await startReporter(simulator, {
    env: { CONNECTOR_FILTER_TYPES: 'indicator', CONNECTOR_OUTAGE_FAILURES: '2', CONNECTOR_CONCURRENCY: '2' },
  })
  let isDown = true
  reporter.onCall = () => {
    if (isDown) throw new RetryableError('the target is down')
  }
  const { ask } = reporter
  reporter.ask = async (entity, context) => {
    await reporter.platform.graphql('{ about { version } }')
    return ask(entity, context)
  }
  indicatorsOf(simulator, 6)
  await until('the outage', () => reporter.status().outage)
  simulator.faults.failGraphql(1_000_000, { status: 502 })
  await until('the platform away', () => reporter.notice('lookups-failed'))
  isDown = false
  const before = reporter.status().retries
  await until('some tries', () => reporter.status().retries > before + 20)
  simulator.faults.clear()
  await until('everything', () => reporter.status().delivered === 6)
  expect(reporter.status()).toMatchObject({ deadLettered: 0, outage: undefined })
})

test('pings do not wait behind lookups that take forever', async () => {
  const simulator = await startSimulator()
  const reporter = await startReporter(simulator, { env: { CONNECTOR_FILTER_TYPES: 'indicator' } })
  const pings = () => simulator.connector()!.pings.length
  reporter.ask = async (_entity, { signal }) => {
    // A hundred questions for each of many entities, and a platform that answers none of them in time.
    const questions = Array.from({ length: 100 }, () =>
      reporter.platform.graphql('{ markingDefinitions { edges { cursor } } }', { signal }),
    )
    await Promise.all(questions)
    return 'somebody'
  }
  simulator.faults.graphqlDelayMs = 40
  const before = pings()
  indicatorsOf(simulator, 30)
  await until('lookups', () => asked(simulator, 'markingDefinitions') > 8)
  await until('three pings', () => pings() >= before + 3)
  expect(reporter.notice('ping-failed')).toBeUndefined()
  simulator.faults.graphqlDelayMs = 0
  reporter.abandon()
})

test('a bulk target can look up in flush as well', async () => {
  const simulator = await startSimulator()
  const marking = simulator.create(buildMarking('SOC ONLY'))
  const names: string[] = []
  class Bulk extends Reporter {
    override async flush(operations: readonly { item: Entity | undefined }[]) {
      const found = await Promise.all(
        operations.map(({ item }) => this.platform.markingOf(item?.object_marking_refs?.[0] ?? '')),
      )
      for (const each of found) names.push(each?.name ?? 'none')
    }
  }
  const bulk = new Bulk({
    env: {
      ...simulator.environment(),
      CONNECTOR_FILTER_TYPES: 'indicator',
      CONNECTOR_RETRY_ATTEMPTS: '2',
      CONNECTOR_BATCH_MAX_WAIT_MS: '100',
    },
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    random: () => 0.5,
  })
  bulk.ask = () => Promise.resolve('nobody')
  onTestFinished(() => bulk.stop())
  await bulk.start()
  await caughtUp(bulk)
  simulator.faults.failGraphql(1_000_000, { status: 503 })
  for (let seed = 1; seed <= 10; seed++)
    simulator.create(buildIndicator('ipv4', { seed, object_marking_refs: [marking.id] }))
  await until('many tries', () => bulk.status().retries > 60)
  expect(bulk.status()).toMatchObject({ deadLettered: 0, outage: undefined })
  simulator.faults.clear()
  await until('everything', () => bulk.status().delivered === 10)
  expect(names).toEqual(Array.from({ length: 10 }, () => 'SOC ONLY'))
})
