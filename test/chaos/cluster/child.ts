/**
 * A copy of a connector in a process of its own, to be killed and frozen: it tells a target that the parent keeps, over
 * HTTP, which event of which entity it delivers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StreamConnector, type Entity, type EventContext } from '../../../src/index.ts'
// Only types, so that the other file is not loaded here.
import type { Arrival } from './order-target.ts'

const target = process.env['ORDER_TARGET']!
const hookMs = Number(process.env['HOOK_MS'] ?? 5)
const copy = process.env['COPY'] ?? ''
/** Processor time of each event. */
const cpuMs = Number(process.env['HOOK_CPU_MS'] ?? 0)

class CopyConnector extends StreamConnector {
  static override readonly defaults = { name: 'Copy', concurrency: 32, retry: { baseMs: 50, maxMs: 500 } }

  transform(entity: Entity): Entity {
    const endMs = performance.now() + cpuMs
    while (performance.now() < endMs);
    return entity
  }

  override create(_: Entity, context: EventContext): Promise<void> {
    return tell(context)
  }

  override update(_: Entity, context: EventContext): Promise<void> {
    return tell(context)
  }

  override delete(context: EventContext): Promise<void> {
    return tell(context)
  }
}

async function tell({ internalId, position, event }: EventContext): Promise<void> {
  const startedMs = Date.now()
  const arrival: Arrival = { key: internalId!, position: position!, hook: event, copy, startedMs }
  const response = await fetch(target, { method: 'POST', body: JSON.stringify(arrival) })
  if (!response.ok) throw new Error(`the target answered ${response.status}`)
  await response.arrayBuffer()
  // What a hook does after a freeze, no lease can prevent: here, nothing.
  await sleep(hookMs)
}

await CopyConnector.run()
