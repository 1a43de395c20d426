/**
 * A connector in a process of its own, to be killed: it does what its hooks say at a target that the parent keeps, over
 * HTTP, and holds its state in SQLite. It has loaded everything before it is told to begin, so that a kill is followed
 * by the next life at once.
 */
import { once } from 'node:events'
import {
  SqliteStore,
  StreamConnector,
  type Entity,
  type EventContext,
  type FlushOperation,
  type FlushResult,
} from '../../../src/index.ts'
// Of types alone, so that nothing of the other file is loaded here.
import type { StormAnswer, StormOperation } from './target.ts'

const target = process.env['STORM_TARGET']!
const life = process.env['STORM_LIFE']!

abstract class StormConnector extends StreamConnector {
  static override readonly defaults = {
    name: 'Storm',
    concurrency: 16,
    batch: { maxItems: 20, maxWaitMs: 20, maxInFlight: 4 },
    retry: { baseMs: 40, maxMs: 400 },
    outage: { probeMinMs: 20, probeMaxMs: 200 },
  }

  transform(entity: Entity): Entity {
    return entity
  }
}

class SingleConnector extends StormConnector {
  override create(item: Entity, context: EventContext): Promise<string | undefined> {
    return tellOne(context, item)
  }

  override update(item: Entity, context: EventContext): Promise<string | undefined> {
    return tellOne(context, item)
  }

  override async delete(context: EventContext): Promise<void> {
    await tellOne(context, undefined)
  }
}

class BulkConnector extends StormConnector {
  constructor() {
    const { CONNECTOR_STATE_DIR: directory, CONNECTOR_ID: connectorId } = process.env
    // Every commit in the thread that others make only the large ones in.
    super({
      store: new SqliteStore({ directory: directory!, connectorId: connectorId!, largeCommitEntities: 0 }),
    })
  }

  override async flush(operations: readonly FlushOperation<Entity>[]): Promise<FlushResult[]> {
    const answers = await tell(operations.map(({ context, item }) => operationOf(context, item)))
    return answers.map((answer) =>
      answer === 'again' ? 'retry' : { status: 'ok', externalId: answer.externalId },
    )
  }
}

async function tellOne(context: EventContext, item: Entity | undefined): Promise<string | undefined> {
  const [answer] = await tell([operationOf(context, item)])
  if (answer === undefined || answer === 'again') throw new Error('the target asked to try again')
  return answer.externalId
}

function operationOf(context: EventContext, document: Entity | undefined): StormOperation {
  const { internalId, position, event, externalId, isDependency } = context
  return { key: internalId!, position: position!, hook: event, externalId, isDependency, document }
}

async function tell(operations: readonly StormOperation[]): Promise<readonly StormAnswer[]> {
  const response = await fetch(target, {
    method: 'POST',
    headers: { 'x-life': life },
    body: JSON.stringify(operations),
  })
  if (!response.ok) {
    await response.arrayBuffer()
    throw Object.assign(new Error(`the target answered ${response.status}`), { status: response.status })
  }
  return (await response.json()) as StormAnswer[]
}

await once(process, 'message')
process.disconnect()
await (process.env['STORM_HOOKS'] === 'flush' ? BulkConnector : SingleConnector).run()
