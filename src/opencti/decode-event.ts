import { entityKeyOf } from '../stix/read/entity-ids.ts'
import { type Entity } from '../stix/types/entity.ts'
import { fieldsOf } from '../stix/types/json-value.ts'
import { type Position } from '../util/position.ts'
import { type Envelope, type EventName, type StreamEvent } from './stream-event.ts'

/** A frame that carries no event that could be delivered. */
export interface UnreadableEvent {
  /** What is wrong with it, in words. */
  readonly problem: string
  readonly entityId?: string | undefined
  readonly entityType?: string | undefined
}

/** `referer` of a frame that was pulled in by another one (OpenCTI platform, graphql/sseMiddleware.js). */
const dependencyReferer = 'init-dependencies'

/** Whether a frame of this name speaks of an entity. */
export function isEventName(name: string): name is EventName {
  return name === 'create' || name === 'update' || name === 'delete' || name === 'merge'
}

/**
 * Reads the data of a frame. A guard instead of a schema: this runs for every event, and what it lets through
 * is what the rest relies on: an object with an id and a type.
 *
 * @param data the frame's JSON text; or the envelope, or the entity alone, already parsed.
 */
export function decodeEvent(
  name: EventName,
  data: unknown,
  position: Position | undefined,
  bytes: number,
): StreamEvent | UnreadableEvent {
  let parsed = data
  if (typeof data === 'string') {
    try {
      parsed = JSON.parse(data)
    } catch {
      return { problem: 'the frame is not valid JSON' }
    }
  }
  if (!isObject(parsed)) return { problem: 'the frame holds no JSON object' }
  const isEnvelope = 'data' in parsed
  const envelope = (isEnvelope ? parsed : { data: parsed }) as unknown as Envelope
  const entity: unknown = envelope.data
  if (!isObject(entity)) return { problem: 'the envelope has no "data" object' }
  const { id, type } = entity as { id?: unknown; type?: unknown }
  if (typeof id !== 'string' || id === '') {
    return { problem: 'the entity has no "id"', entityType: typeof type === 'string' ? type : undefined }
  }
  if (typeof type !== 'string' || type === '') return { problem: 'the entity has no "type"', entityId: id }
  if (name === 'merge' && !isListOrNone(sourcesOf(envelope))) {
    return { problem: 'the "sources" of the merge are no list', entityId: id, entityType: type }
  }
  const origin: unknown = envelope.origin
  return {
    name,
    position,
    entity: entity as unknown as Entity,
    // By the one rule for events, merge sources and letters: what is pushed under one key must be found under it.
    key: entityKeyOf(entity as unknown as Entity),
    isDependency: isObject(origin) && origin['referer'] === dependencyReferer,
    envelope,
    text: typeof data === 'string' ? (isEnvelope ? data : `{"data":${data}}`) : undefined,
    bytes,
  }
}

/** Whether {@link decodeEvent} gave up. */
export function isUnreadable(event: StreamEvent | UnreadableEvent): event is UnreadableEvent {
  return 'problem' in event
}

/** The entities that a merge takes away, as the platform lists them; undefined where it lists none. */
export function listedSourcesOf({ envelope }: StreamEvent): readonly Entity[] | undefined {
  const sources = sourcesOf(envelope)
  return Array.isArray(sources) ? (sources as readonly Entity[]) : undefined
}

/** Before 5.1 they stood in the entity itself (OpenCTI platform, database/redis.js, `storeMergeEvent`). */
function sourcesOf({ context, data }: Envelope): unknown {
  return fieldsOf(context)['sources'] ?? fieldsOf(data)['sources']
}

/** Whether what was merged away can be gone through; a merge without sources has none to withdraw. */
function isListOrNone(sources: unknown): boolean {
  return sources === undefined || sources === null || Array.isArray(sources)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
