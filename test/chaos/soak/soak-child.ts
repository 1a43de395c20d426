/**
 * A connector in a process of its own, which tells every moment how much it holds: it brings what it is told to a target that
 * the parent keeps, over HTTP, in batches, and holds its state in SQLite.
 */
import { readdirSync } from 'node:fs'
import { StreamConnector, type Entity, type FlushOperation } from '../../../src/index.ts'
// Only types, so that the other file is not loaded here.
import type { SoakEffect, SoakSample } from './soak.test.ts'

const target = process.env['SOAK_TARGET']!

/** Linux lists open files and sockets. */
const descriptorFolder = '/proc/self/fd'

class SoakConnector extends StreamConnector {
  static override readonly defaults = {
    name: 'Soak',
    filter: { types: ['malware'] },
    batch: { maxItems: 200, maxWaitMs: 20, maxInFlight: 4 },
    retry: { baseMs: 20, maxMs: 100 },
  }
  #samples: NodeJS.Timeout | undefined

  override open(): void {
    this.#samples = setInterval(() => process.send!(this.#sample()), 200)
  }

  override close(): void {
    clearInterval(this.#samples)
    process.send!(this.#sample())
    process.disconnect()
  }

  transform(entity: Entity): Entity {
    return entity
  }

  override async flush(operations: readonly FlushOperation<Entity>[]): Promise<void> {
    const effects = operations.map(({ kind, context }): SoakEffect => {
      const { description } = context.entity as { description?: unknown }
      return { id: context.internalId!, kind, version: Number(description) }
    })
    const response = await fetch(target, { method: 'POST', body: JSON.stringify(effects) })
    await response.arrayBuffer()
    if (!response.ok) throw Object.assign(new Error('refused'), { status: response.status })
  }

  #sample(): SoakSample {
    const { received, delivered, skipped, deadLettered, inFlight } = this.status()
    const { rss, heapUsed } = process.memoryUsage()
    return {
      counters: { received, delivered, skipped, deadLettered, inFlight },
      memory: { rss, heapUsed },
      handles: {
        resources: process.getActiveResourcesInfo().length,
        ...(process.platform === 'linux' && { descriptors: readdirSync(descriptorFolder).length }),
      },
    }
  }
}

await SoakConnector.run()
