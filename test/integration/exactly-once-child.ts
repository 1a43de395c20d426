/**
 * A connector, to be killed, whose target is a SQLite file: it writes each effect, the position of its entity and the
 * safe position in one transaction, and goes on from there at the next start.
 */
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { StreamConnector, type Entity, type EventContext, type FlushOperation } from '../../src/index.ts'

class ExactConnector extends StreamConnector {
  static override readonly defaults = {
    name: 'Exact',
    concurrency: 16,
    batch: { maxItems: 10, maxWaitMs: 10 },
  }
  readonly #target = new DatabaseSync(process.env['EXACT_TARGET']!)

  override open(): void {
    this.#target.exec(`PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000;
      CREATE TABLE IF NOT EXISTS effect (key TEXT, position TEXT, hook TEXT);
      CREATE TABLE IF NOT EXISTS document (key TEXT PRIMARY KEY, position TEXT, body TEXT);
      CREATE TABLE IF NOT EXISTS progress (id INTEGER PRIMARY KEY CHECK (id = 1), position TEXT)`)
  }

  override loadPosition(): string | undefined {
    return this.#target.prepare('SELECT position FROM progress').get()?.['position'] as string | undefined
  }

  transform(entity: Entity): Entity {
    return entity
  }

  override create(item: Entity, context: EventContext): Promise<void> {
    return this.#apply([{ item, context }])
  }

  override update(item: Entity, context: EventContext): Promise<void> {
    return this.#apply([{ item, context }])
  }

  override delete(context: EventContext): Promise<void> {
    return this.#apply([{ item: undefined, context }])
  }

  async #apply(effects: readonly { item: Entity | undefined; context: EventContext }[]): Promise<void> {
    // Effects overtake one another on their way to the target.
    await sleep(Math.random() * 10)
    if (Math.random() < 0.05) throw Object.assign(new Error('busy'), { status: 503 })
    this.#target.exec('BEGIN IMMEDIATE')
    for (const { item, context } of effects) this.#applyOne(item, context)
    this.#target.exec('COMMIT')
    await sleep(Math.random() * 10)
  }

  #applyOne(item: Entity | undefined, context: EventContext): void {
    const { internalId, position, safePosition, event } = context
    const seen = this.#target.prepare('SELECT position FROM document WHERE key = ?').get(internalId!)
    if (!context.comesAfter(seen?.['position'] as string | undefined)) return
    this.#target.prepare('INSERT INTO effect VALUES (?, ?, ?)').run(internalId!, position!, event)
    // What is gone keeps its row, so that what came before its end is known as well.
    this.#target
      .prepare(
        `INSERT INTO document VALUES (?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET position = excluded.position, body = excluded.body`,
      )
      .run(internalId!, position!, item === undefined ? null : JSON.stringify(item))
    if (safePosition === undefined) return
    this.#target
      .prepare(
        'INSERT INTO progress VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET position = excluded.position',
      )
      .run(safePosition)
  }

  protected applyAll(operations: readonly FlushOperation<Entity>[]): Promise<void> {
    return this.#apply(operations)
  }
}

class ExactBulkConnector extends ExactConnector {
  override flush(operations: readonly FlushOperation<Entity>[]): Promise<void> {
    return this.applyAll(operations)
  }
}

await once(process, 'message')
process.disconnect()
await (process.env['EXACT_HOOKS'] === 'flush' ? ExactBulkConnector : ExactConnector).run()
