import { expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  StreamConnector,
  referencesOf,
  type Entity,
  type EventContext,
} from 'opencti-stream-connector'
import {
  buildIndicator,
  buildMalware,
  buildRelationship,
  buildReport,
} from 'opencti-stream-connector/testing'
import { silentLogger } from '../../src/util/logger.ts'
import { fastClock } from '../fixtures/fast-clock.ts'
import { caughtUp, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

/** For a target that refuses what names something that it does not have, and the delete of what is still named. */
class Graph extends StreamConnector {
  readonly held = new Map<string, Entity>()
  /** How often an entity of this type fails first. */
  readonly failing = new Map<string, number>()

  onDelete: ((entityId: string, attempt: number) => Promise<void>) | undefined

  transform(entity: Entity): Entity {
    return entity
  }

  override async create(entity: Entity): Promise<string> {
    await new Promise((resolve) => setImmediate(resolve))
    const left = this.failing.get(entity.type) ?? 0
    this.failing.set(entity.type, left - 1)
    if (left > 0) throw errorWithStatus(503, 'busy')
    if (!referencesOf(entity).every((id) => this.held.has(id)))
      throw errorWithStatus(422, 'it names what is not here')
    this.held.set(entity.id, entity)
    return entity.id
  }

  override async delete({ entityId, attempt }: EventContext): Promise<void> {
    await this.onDelete?.(entityId, attempt)
    if ([...this.held.values()].some((each) => referencesOf(each).includes(entityId)))
      throw errorWithStatus(409, 'something names it')
    this.held.delete(entityId)
  }
}

test.each(['reference', 'strict'])(
  'with the order "%s", a strict target never gets a call too early',
  async (ordering) => {
    const simulator = await startSimulator()
    const connector = new Graph({
      env: simulator.environment({ CONNECTOR_ORDERING: ordering }),
      store: new MemoryStore(),
      clock: fastClock(),
      logger: silentLogger,
    })
    onTestFinished(() => connector.stop())
    await connector.start()
    await caughtUp(connector)
    connector.failing.set('malware', 2).set('indicator', 1)
    const malware = simulator.create(buildMalware({ seed: 1 }))
    const indicator = simulator.create(buildIndicator('ipv4', { seed: 2 }))
    const relationship = simulator.create(buildRelationship(indicator, 'indicates', malware))
    const report = simulator.create(buildReport([malware, indicator, relationship], { seed: 3 }))
    await until('the report', () => connector.held.has(report.id))
    expect(connector.held.has(relationship.id)).toBe(true)
    const others = Promise.withResolvers<void>()
    connector.onDelete = async (id, attempt) => {
      if (id !== relationship.id || attempt > 1) return
      // While it is tried, its ends go.
      for (const end of [malware, indicator]) simulator.delete(end.id)
      await others.promise
      throw errorWithStatus(503, 'busy')
    }
    for (const { id } of [report, relationship]) simulator.delete(id)
    await until('the events after it', () => connector.status().inFlight >= 3)
    others.resolve()
    await until(
      'the end',
      () => ![report, relationship, malware, indicator].some(({ id }) => connector.held.has(id)),
    )
    expect(connector.status().deadLettered).toBe(0)
  },
)
