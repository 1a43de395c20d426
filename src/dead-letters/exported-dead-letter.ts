import { type DeadLetter } from '../store/state-store.ts'
import { jsonText, parsedJson } from '../util/json-text.ts'

/** A failed event in the fields of the specification of stream connectors (`failed_events.jsonl`). */
export interface ExportedDeadLetter {
  /** When it failed last, as an ISO date. */
  readonly timestamp: string
  /** `create`, `update`, `delete` or `merge`, or whatever the frame said. */
  readonly event_type: string
  readonly entity_id: string | null
  readonly entity_type: string | null
  readonly error: string
  /** The entity; the message where there is none in it; its text where it is no JSON, or nested too deeply to be written as such. */
  readonly data: unknown
}

/** A dead letter as the specification writes it. */
export function exportedLetter(letter: DeadLetter): ExportedDeadLetter {
  return {
    timestamp: new Date(letter.lastAtMs).toISOString(),
    event_type: letter.eventType,
    entity_id: letter.entityId ?? null,
    entity_type: letter.entityType ?? null,
    error: letter.error,
    data: dataOf(letter),
  }
}

/** The specification's `msg.data` is the entity: what a merge did to another one is in its sources. */
function dataOf({ data, entityId }: DeadLetter): unknown {
  const message = parsedJson(data)
  if (jsonText(message) === undefined) return data
  const entity = fieldOf(message, 'data')
  if (fieldOf(entity, 'id') === undefined) return message
  const sources = fieldOf(fieldOf(message, 'context'), 'sources')
  if (entityId === undefined || fieldOf(entity, 'id') === entityId || !Array.isArray(sources)) return entity
  return sources.find((source) => fieldOf(source, 'id') === entityId) ?? entity
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
