/**
 * A connector in a process of its own, to be killed: it does what its hooks say at a target that the parent keeps, over
 * HTTP, and holds its state in SQLite.
 */
import { StreamConnector, type Entity, type EventContext } from '../../src/index.ts'
// Of types alone, so that nothing of the other file is loaded here.
import type { CrashCall } from './crash-target.ts'

const target = process.env['CRASH_TARGET']!

class CrashConnector extends StreamConnector {
  static override readonly defaults = { name: 'Crash', concurrency: 8 }

  transform(entity: Entity): Entity {
    return entity
  }

  override create(item: Entity, context: EventContext): Promise<void> {
    return tell(context, item)
  }

  override update(item: Entity, context: EventContext): Promise<void> {
    return tell(context, item)
  }

  override delete(context: EventContext): Promise<void> {
    return tell(context, undefined)
  }
}

async function tell(context: EventContext, document: Entity | undefined): Promise<void> {
  const call: CrashCall = { key: context.internalId!, document }
  const response = await fetch(target, { method: 'POST', body: JSON.stringify(call) })
  if (!response.ok) throw new Error(`the target answered ${response.status}`)
  await response.arrayBuffer()
}

await CrashConnector.run()
