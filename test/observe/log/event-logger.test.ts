import { type EventContext, MemoryStore, StreamConnector } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { minimalEnvironment } from '../../fixtures/minimal-environment.ts'
import { createLogger } from '../../../src/observe/log/create-logger.ts'
import { type Logger } from '../../../src/util/logger.ts'
import { Redactor } from '../../../src/util/redactor.ts'

/** A connector whose hooks say what they are given, with its log lines and how often a child logger was made. */
function talkative(isTalking: boolean) {
  const lines: { message: string; attributes?: Record<string, unknown> }[] = []
  let children = 0
  const logger = createLogger({
    name: 'Talkative',
    level: 'info',
    json: true,
    redactor: new Redactor(),
    write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]),
  })
  const counted: Logger = {
    ...logger,
    child: (attributes) => {
      children++
      return logger.child(attributes)
    },
  }
  class Talkative extends StreamConnector {
    transform(entity: { id: string }, context: EventContext) {
      if (isTalking) context.logger.info('transform', { size: 1 })
      return entity as never
    }
    override create(_: unknown, context: EventContext) {
      if (isTalking) context.logger.info('create')
    }
  }
  const connector = new Talkative({
    env: minimalEnvironment,
    directory: tmpdir(),
    store: new MemoryStore(),
    logger: counted,
  })
  return { connector, lines, children: () => children }
}

test('every line of a hook names its event and its entity', async () => {
  const { connector, lines, children } = talkative(true)
  const entity = buildIndicator('ipv4', { seed: 1 })
  await connector.processMessage({ event: 'create', data: entity, id: '1700000000000-7' })
  await connector.processMessage({ event: 'create', data: buildIndicator('ipv4', { seed: 2 }) })
  await connector.stop()
  const facts = { event: 'create', entity_id: entity.id, entity_type: 'indicator' }
  const of = (message: string) =>
    lines.filter((line) => line.message === message).map((line) => line.attributes)
  expect(of('transform')[0]).toEqual({ event_id: '1700000000000-7', ...facts, size: 1 })
  expect(of('create')[0]).toEqual({ event_id: '1700000000000-7', ...facts })
  // What did not come from the stream has no place in it.
  expect(of('create')[1]).not.toHaveProperty('event_id')
  // Both hooks of an event share one.
  expect(children()).toBe(2)
})

test('creates no logger for an event whose hooks log nothing', async () => {
  const { connector, children } = talkative(false)
  await connector.processMessage({ event: 'create', data: buildIndicator('ipv4', { seed: 1 }) })
  await connector.stop()
  expect(children()).toBe(0)
})
