import { describe, expect, it } from 'vitest'
import {
  MemoryStore,
  StreamConnector,
  type ConnectorOptions,
  type Entity,
  type FlushOperation,
  type KeyedItem,
  type NoSettings,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger }
const options = (): ConnectorOptions => ({ env: minimalEnvironment, store: new MemoryStore(), logger })

const told: string[] = []

class Batches extends StreamConnector<NoSettings, string> {
  transform = (entity: Entity) => entity.id
  override flush = async (operations: readonly FlushOperation<string>[]) => {
    told.push(...operations.map(({ kind }) => kind))
  }
}

interface Value extends KeyedItem {
  readonly score: number
}

const valueOf = (entity: Entity): Value[] => [{ key: 'a', score: Number((entity as { name?: string }).name) }]

class Values extends StreamConnector<NoSettings, Value> {
  transform = valueOf
  override create = async ({ score }: Value) => void told.push(`create ${score}`)
  override update = async ({ score }: Value) => void told.push(`update ${score}`)
  override combine = (one: Value, other: Value) => (one.score > other.score ? one : other)
}

class WholeLists extends StreamConnector<NoSettings, Value> {
  transform = valueOf
  override replaceAll = async (items: AsyncIterable<Value>) => {
    for await (const { score } of items) told.push(`list of ${score}`)
  }
}

function message(event: 'create' | 'update', id: string, name: string) {
  const data = { ...buildIndicator('domain', { seed: 1 }), name }
  return {
    event,
    id,
    data: JSON.stringify({ version: '4', type: event, scope: 'external', message: '', data }),
  }
}

describe('hooks that are fields of the class', () => {
  it.each([
    ['flush', Batches, ['create', 'update']],
    ['create, update, and combine of items', Values, ['create 1', 'update 2']],
    ['replaceAll', WholeLists, ['list of 1', 'list of 2']],
  ])('are called as methods are: %s', async (_, Connector, expected) => {
    told.length = 0
    const connector = new Connector(options())
    expect(await connector.processMessage(message('create', '1000-0', '1'))).toEqual({ kind: 'delivered' })
    expect(await connector.processMessage(message('update', '1001-0', '2'))).toEqual({ kind: 'delivered' })
    expect(told).toEqual(expected)
    await connector.stop()
  })
})
