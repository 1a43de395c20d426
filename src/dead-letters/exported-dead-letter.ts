import { type DeadLetter } from '../store/state-store.ts'
import { jsonText, parsedJson } from '../util/json-text.ts'

/** A failed event with the stream connector specification's fields (`failed_events.jsonl`). */
export interface ExportedDeadLetter {
  /** Time of its last failure, as an ISO date. */
  readonly timestamp: string
  /** `create`, `update`, `delete`, `merge`, or the frame's own event name. */
  readonly event_type: string
  readonly entity_id: string | null
  readonly entity_type: string | null
  readonly error: string
  /**
   * The entity; the message if it contains none; its text if it is not JSON, or too deeply nested to
   * serialize.
   */
  readonly data: unknown
}

/** Converts a dead letter to the specification's format. */
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

/** The specification's `msg.data` is the entity. What a merge did to another one is in its sources. */
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
