import { expect, onTestFinished, test } from 'vitest'
import { MemoryStore, StreamConnector, type ConnectorOptions, type Entity } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { SearchLag } from '../../src/target/search-lag.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'
import { fastClock } from '../fixtures/fast-clock.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'

const lagMs = 5000
const indicator = buildIndicator('ipv4', { seed: 7 })
const clock = fastClock()

/** Takes whatever it is sent, and finds it some seconds later. */
class LateTarget {
  readonly tickets: { readonly id: string; readonly entityId: string; readonly atMs: number }[] = []
  searches = 0
  /** Error of the next create, which takes effect nevertheless. */
  loses: Error | undefined

  create({ id: entityId }: Entity): string {
    const id = `t${this.tickets.length + 1}`
    this.tickets.push({ id, entityId, atMs: clock.monotonic() })
    const lost = this.loses
    this.loses = undefined
    if (lost !== undefined) throw lost
    return id
  }

  find({ id }: Entity): string | undefined {
    this.searches++
    const shownMs = clock.monotonic() - lagMs * 0.9
    return this.tickets.find(({ entityId, atMs }) => entityId === id && atMs <= shownMs)?.id
  }
}

class Ticketing extends StreamConnector {
  readonly #target: LateTarget

  constructor(target: LateTarget, options: ConnectorOptions) {
    super(options)
    this.#target = target
  }
  transform = (entity: Entity) => entity
  override create = (entity: Entity) => this.#target.create(entity)
  override find = (entity: Entity) => this.#target.find(entity)
  override update() {}
  override delete() {}
}

function live(target: LateTarget, searchLagMs: number): Ticketing {
  const connector = new Ticketing(target, {
    env: {
      ...minimalEnvironment,
      CONNECTOR_SEARCH_LAG_MS: String(searchLagMs),
      CONNECTOR_RETRY_BASE_MS: '1',
      CONNECTOR_RETRY_MAX_MS: '1',
    },
    store: new MemoryStore(),
    clock,
    logger: silentLogger,
  })
  onTestFinished(() => connector.stop())
  return connector
}

const create = { event: 'create', data: indicator }

test.each([502, 409])(
  'never creates twice when the search lags behind and the answer was %d',
  async (status) => {
    const target = new LateTarget()
    target.loses = errorWithStatus(status)
    expect(await live(target, lagMs).processMessage(create)).toEqual({ kind: 'delivered' })
    expect(target.tickets).toHaveLength(1)
  },
)

test('never creates again what a killed process created a moment ago', async () => {
  const target = new LateTarget()
  await live(target, lagMs).processMessage(create)
  await live(target, lagMs).processMessage(create)
  expect(target.tickets).toHaveLength(1)
})

test('never takes for gone what a killed process created a moment ago', async () => {
  const target = new LateTarget()
  await live(target, lagMs).processMessage(create)
  const outcome = await live(target, lagMs).processMessage({ event: 'delete', data: indicator })
  expect(outcome).not.toMatchObject({ reason: 'not-at-target' })
})

test('searches once, and waits for nothing, where the search shows everything at once', async () => {
  const target = new LateTarget()
  await live(target, 0).processMessage(create)
  expect(target.searches).toBe(1)
})

test('never creates again what was withdrawn a moment ago and comes back', async () => {
  const target = new LateTarget()
  const connector = live(target, lagMs)
  await connector.processMessage(create)
  await connector.processMessage({ event: 'delete', data: indicator })
  await connector.processMessage(create)
  expect(target.tickets).toHaveLength(1)
})

test('waits for a search only while it can be wrong', () => {
  let nowMs = 0
  const lag = new SearchLag(lagMs, { ...clock, monotonic: () => nowMs })
  expect(lag.waitMs('a')).toBe(lagMs)
  nowMs = lagMs
  expect(lag.waitMs('a')).toBe(0)

  lag.createFailed('a', errorWithStatus(503))
  lag.createFailed('b', errorWithStatus(422))
  nowMs += 1000
  expect([lag.waitMs('a'), lag.waitMs('b')]).toEqual([lagMs - 1000, 0])
  nowMs += lagMs
  expect(lag.waitMs('a')).toBe(0)
})

test('takes any miss for doubtful when too many are to remember', () => {
  let nowMs = lagMs * 2
  const lag = new SearchLag(lagMs, { ...clock, monotonic: () => nowMs })
  for (let number = 0; number < 10_001; number++) lag.deleted(String(number))
  nowMs += 1000
  expect([lag.waitMs('0'), lag.waitMs('another')]).toEqual([lagMs - 1000, lagMs - 1000])
})
