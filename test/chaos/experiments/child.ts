/** A connector in a separate process, which tests kill: it reports each hook call to its target, and throws when the target says so. */
import {
  StreamConnector,
  nameOf,
  systemClock,
  type Entity,
  type EventContext,
  type FlushOperation,
} from '../../../src/index.ts'
import { fastClock } from '../../fixtures/fast-clock.ts'
// Only types, so that the other file is not loaded here.
import type { HookCall } from './target.ts'

const { EXPERIMENT_TARGET: target, EXPERIMENT_HOOKS: hooks, EXPERIMENT_CLOCK_FACTOR: factor } = process.env

class SingleConnector extends StreamConnector {
  static override readonly defaults = { name: 'Experiment', retry: { baseMs: 20 } }

  constructor() {
    super({ clock: factor === undefined ? systemClock : fastClock(Number(factor)) })
  }

  transform(entity: Entity): Entity {
    return entity
  }

  override create(_item: Entity, context: EventContext): Promise<void> {
    return tell([context])
  }

  override update(_item: Entity, context: EventContext): Promise<void> {
    return tell([context])
  }

  override delete(context: EventContext): Promise<void> {
    return tell([context])
  }
}

class BulkConnector extends SingleConnector {
  override flush(operations: readonly FlushOperation<Entity>[]): Promise<void> {
    return tell(operations.map(({ context }) => context))
  }
}

async function tell(contexts: readonly EventContext[]): Promise<void> {
  const calls = contexts.map(({ event, internalId, position, entity }): HookCall => ({
    hook: event,
    key: internalId!,
    position: position!,
    name: nameOf(entity) ?? '',
  }))
  const response = await fetch(target!, { method: 'POST', body: JSON.stringify(calls) })
  if ((await response.text()) === 'throw') throw new Error('the hook has a bug')
}

await (hooks === 'flush' ? BulkConnector : SingleConnector).run()
