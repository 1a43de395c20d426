/**
 * A connector in a process of its own, to be killed: it does what its hooks say at a target that the parent keeps, over
 * HTTP, and holds its state in SQLite. It has loaded everything before it is told to begin, so that a kill is followed
 * by the next life at once.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  observablesOf,
  SqliteStore,
  StreamConnector,
  type Entity,
  type EventContext,
  type FlushOperation,
  type FlushResult,
  type NoSettings,
} from '../../../src/index.ts'
// Only types, so that the other file is not loaded here.
import type { ClaimedValue, StormAnswer, StormOperation, StormQuestion } from './target.ts'
import type { StormKind } from './storm.ts'

const target = process.env['STORM_TARGET']!
const life = process.env['STORM_LIFE']!

abstract class StormConnector<Item> extends StreamConnector<NoSettings, Item> {
  static override readonly defaults = {
    name: 'Storm',
    concurrency: 16,
    batch: { maxItems: 20, maxWaitMs: 20, maxInFlight: 4 },
    retry: { baseMs: 40, maxMs: 400 },
    outage: { probeMinMs: 20, probeMaxMs: 200 },
  }
}

/** The target assigns ids, and can find them after the state was lost. */
abstract class DocumentConnector extends StormConnector<Entity> {
  transform(entity: Entity): Entity {
    return entity
  }

  override async find(_: Entity, { internalId }: EventContext): Promise<string | undefined> {
    const [id] = await ask({ externalIdOf: internalId! })
    return id
  }
}

class SingleConnector extends DocumentConnector {
  override create(item: Entity, context: EventContext): Promise<string | undefined> {
    return tellOne(operationOf(context, item))
  }

  override update(item: Entity, context: EventContext): Promise<string | undefined> {
    return tellOne(operationOf(context, item))
  }

  override async delete(context: EventContext): Promise<void> {
    await tellOne(operationOf(context, undefined))
  }
}

class CoalescingConnector extends SingleConnector {
  static override readonly defaults = { ...StormConnector.defaults, coalesce: 'latest' as const }
}

class BulkConnector extends DocumentConnector {
  constructor() {
    const { CONNECTOR_STATE_DIR: directory, CONNECTOR_ID: connectorId } = process.env
    // Makes every commit in the thread, which is usually for large ones only.
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

/** Its target holds values, which several entities share: each says by which entities it is claimed, in which state. */
class ValuesConnector extends StormConnector<ClaimedValue> {
  transform(entity: Entity, { internalId }: EventContext): ClaimedValue[] {
    const print = createHash('sha1').update(JSON.stringify(entity)).digest('base64')
    return valuesOf(entity).map((key) => ({ key, claims: [`${internalId} ${print}`] }))
  }

  override create(item: ClaimedValue, context: EventContext): Promise<void> {
    return this.#tell(item, context)
  }

  override update(item: ClaimedValue, context: EventContext): Promise<void> {
    return this.#tell(item, context)
  }

  override delete(context: EventContext): Promise<void> {
    return this.#tell(undefined, context)
  }

  async #tell(item: ClaimedValue | undefined, context: EventContext): Promise<void> {
    await tellOne({ ...operationOf(context, item), record: context.key! })
  }
}

function valuesOf(entity: Entity): string[] {
  return observablesOf(entity).observables.flatMap((each) => ('value' in each ? [each.value] : []))
}

function operationOf(context: EventContext, document: object | undefined): StormOperation {
  const { internalId, position, event, externalId, isDependency, envelope } = context
  return {
    entity: internalId!,
    record: internalId!,
    position: position!,
    hook: event,
    externalId,
    isTold: isDependency || envelope.type === undefined,
    document,
  }
}

async function ask(question: StormQuestion): Promise<string[]> {
  const response = await fetch(target, { method: 'POST', body: JSON.stringify(question) })
  return (await response.json()) as string[]
}

async function tellOne(operation: StormOperation): Promise<string | undefined> {
  const [answer] = await tell([operation])
  if (answer === undefined || answer === 'again') throw new Error('the target asked to try again')
  return answer.externalId
}

async function tell(operations: readonly StormOperation[]): Promise<readonly StormAnswer[]> {
  const response = await fetch(target, {
    method: 'POST',
    headers: { 'x-life': life },
    body: JSON.stringify(operations),
  })
  if (!response.ok) {
    await response.arrayBuffer()
    const retryAfter = response.headers.get('retry-after')
    throw Object.assign(new Error(`the target answered ${response.status}`), {
      status: response.status,
      ...(retryAfter !== null && { headers: { 'retry-after': retryAfter } }),
    })
  }
  return (await response.json()) as StormAnswer[]
}

const kinds = {
  single: SingleConnector,
  flush: BulkConnector,
  values: ValuesConnector,
  'catch-up': CoalescingConnector,
} satisfies Record<StormKind, { run(): Promise<void> }>

await once(process, 'message')
process.disconnect()
await kinds[process.env['STORM_KIND'] as StormKind].run()
