import { expect, test } from 'vitest'
import {
  MemoryStore,
  StreamConnector,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
} from 'opencti-stream-connector'
import { buildIndicator, Simulator } from 'opencti-stream-connector/testing'
import { until } from '../fixtures/until.ts'

class Mirror extends StreamConnector {
  static override readonly defaults = {
    name: 'Mirror',
    filter: { types: ['indicator'] },
  } satisfies ConnectorDefaults
  readonly held = new Map<string, Entity>()
  transform = (entity: Entity) => entity
  override create(entity: Entity, { internalId }: EventContext) {
    this.held.set(internalId!, entity)
  }
  override update(entity: Entity, context: EventContext) {
    this.create(entity, context)
  }
  override delete({ internalId }: EventContext) {
    this.held.delete(internalId!)
  }
}

test("keeps an entity that left the stream's filter and came back shortly before the first catch-up", async () => {
  await using simulator = await Simulator.start({ heartbeatMs: 20, idleReadMs: 20 })
  simulator.stream.filter = (object) => object['confidence'] !== 0
  const { id } = simulator.create(buildIndicator('domain'))
  simulator.update(id, { confidence: 0 })
  simulator.update(id, { confidence: 80, description: 'It is back.' })
  await using connector = new Mirror({
    env: simulator.environment({ CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0' }),
    store: new MemoryStore(),
  })
  await connector.start()
  await until('the end of the catch-up', () => !connector.status().catchingUp)
  const last = simulator.create(buildIndicator('domain', { seed: 2 }))
  await until('the last event', () => [...connector.held.values()].some((entity) => entity.id === last.id))
  expect([...connector.held.values()].map((entity) => entity.id)).toEqual([id, last.id])
})
