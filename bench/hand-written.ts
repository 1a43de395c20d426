import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEventSource } from 'eventsource-client'
import { type Entity, extensionOf, openCtiExtension } from 'opencti-stream-connector'
import { type Rate, Stopwatch } from './stopwatch.ts'

interface Message {
  readonly id?: string | undefined
  readonly event?: string | undefined
  readonly data: string
}

const attempts = 3
/** Number of events between two writes of the state file. */
const saveEach = 1000

/**
 * A typical handwritten connector, one event at a time: dispatch, transform, three attempts, a file of failed events, a map
 * of ids, and a state file written from time to time. It loses events when it is killed, as do its peers.
 */
export async function handWritten(url: string, events: number): Promise<Rate> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const target = {
    create: async (item: object) => item,
    update: async (_item: object) => {},
    delete: async (_id: string) => {},
  }
  const ids = new Map<string, string>()
  let processed = 0

  const save = (position: string | undefined) => {
    writeFileSync(join(directory, 'state.new'), JSON.stringify({ start_from: position }))
    renameSync(join(directory, 'state.new'), join(directory, 'state.json'))
  }
  const transform = (entity: Entity) => ({ id: entity.id, type: entity.type, source: entity })
  const handle = async (name: string, entity: Entity) => {
    const key = String(extensionOf(entity, openCtiExtension)?.['id'] ?? entity.id)
    if (name === 'delete') {
      await target.delete(ids.get(key) ?? key)
      ids.delete(key)
    } else if (ids.has(key)) {
      await target.update(transform(entity))
    } else {
      await target.create(transform(entity))
      ids.set(key, entity.id)
    }
  }
  const processMessage = async ({ id, event, data }: Message) => {
    if (event !== 'create' && event !== 'update' && event !== 'delete') return
    const { data: entity } = JSON.parse(data) as { data: Entity }
    for (let attempt = 1; ; attempt++) {
      try {
        await handle(event, entity)
        break
      } catch (error) {
        if (attempt < attempts) continue
        appendFileSync(
          join(directory, 'failed_events.jsonl'),
          `${JSON.stringify({ error: String(error), data })}\n`,
        )
        break
      }
    }
    if (++processed % saveEach === 0) save(id)
  }

  const stopwatch = new Stopwatch()
  const source = createEventSource(`${url}?from=0-0`)
  for await (const message of source) {
    await processMessage(message)
    if (processed === events) break
  }
  const rate = stopwatch.rate(events)
  source.close()
  rmSync(directory, { recursive: true })
  return rate
}
