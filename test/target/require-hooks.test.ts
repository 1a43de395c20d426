import { expect, test } from 'vitest'
import { MemoryStore, StreamConnector, type Entity } from 'opencti-stream-connector'
import { startSimulator } from '../fixtures/stage.ts'

class Idle extends StreamConnector {
  transform(entity: Entity) {
    return entity
  }
}

// As JavaScript allows, where no compiler asks for it.
abstract class Untransformed extends StreamConnector {
  override create() {}
}

test.each([
  ['without a hook that does anything', Idle, 'no create, update, delete, flush, or replaceAll hook'],
  ['without transform', Untransformed as unknown as typeof Idle, 'no transform'],
])('a class %s does not start, and makes no dead letter', async (_, Connector, words) => {
  const simulator = await startSimulator()
  await using connector = new Connector({ env: simulator.environment(), store: new MemoryStore() })
  await expect(connector.start()).rejects.toMatchObject({
    code: 'HOOK_MISSING',
    message: expect.stringContaining(words),
  })
  expect(connector.status().deadLettered).toBe(0)
})
