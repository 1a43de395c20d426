import { type Entity } from '../stix/types/entity.ts'
import { type Position } from '../util/position.ts'
import { entityKeyOf } from '../stix/read/entity-ids.ts'
import { fieldsOf } from '../stix/types/json-value.ts'

/** The names of frames about an entity. */
export type EventName = 'create' | 'update' | 'delete' | 'merge'

/** Envelope type that no platform sends: the entity has expired. */
export const expiredType = 'expired'

/**
 * One operation of a JSON Patch (RFC 6902), as in `context.patch` and `context.reversePatch`.
 *
 * @example
 * ```ts
 * import { type PatchOperation } from 'opencti-stream-connector'
 *
 * const paths = (patch: readonly PatchOperation[]) => patch.map(({ path }) => path)
 * console.log(paths([]).length)
 * ```
 */
export interface PatchOperation {
  /** `add`, `remove`, `replace`, `move`, `copy`, or `test`. */
  readonly op: string
  /** JSON Pointer to what changes, such as `/labels/0`. */
  readonly path: string
  /** The new value, for `add`, `replace`, and `test`. */
  readonly value?: unknown
  /** JSON Pointer to the source, for `move` and `copy`. */
  readonly from?: string | undefined
}

/**
 * An event of the stream as the platform sends it: the JSON of a frame. During a catch-up it only has `data`,
 * `message`, `origin`, and `version` (OpenCTI platform, graphql/sseMiddleware.js).
 *
 * @example
 * ```ts
 * import { type Envelope } from 'opencti-stream-connector'
 *
 * const line = ({ type, message, data }: Envelope) => `${type ?? 'exists'}: ${message ?? data.id}`
 * console.log(line.length)
 * ```
 */
export interface Envelope {
  /** The entity as it is now; after a delete, as it was last. */
  readonly data: Entity
  /** Version of this format: `4` since OpenCTI 5.3. */
  readonly version?: string | undefined
  /** What happened on the platform. It may differ from the frame's name, which is what counts. */
  readonly type?: string | undefined
  /** `external`: the platform keeps other events to itself. */
  readonly scope?: string | undefined
  /** What changed, in words. */
  readonly message?: string | undefined
  /** Who made the change, and through what. */
  readonly origin?:
    | {
        readonly referer?: string | undefined
        readonly user_id?: string | undefined
        readonly [key: string]: unknown
      }
    | undefined
  /** How an update or merge changed the entity; `sources` are the entities that were merged into it. */
  readonly context?:
    | {
        readonly patch?: readonly PatchOperation[] | undefined
        readonly reverse_patch?: readonly PatchOperation[] | undefined
        readonly sources?: readonly Entity[] | undefined
        readonly [key: string]: unknown
      }
    | undefined
  /** Where the event came from, for platforms that copy from each other. Not its position, and not unique. */
  readonly event_id?: string | undefined
  readonly [key: string]: unknown
}

/** An event of the stream about one entity. */
export interface StreamEvent {
  /** The name of the frame, which determines the operation. */
  readonly name: EventName
  /** Its place in the stream. Undefined if it came from elsewhere. */
  readonly position: Position | undefined
  readonly entity: Entity
  /** OpenCTI's internal id, which never changes; the STIX id if there is none. */
  readonly key: string
  /** Sent because another entity refers to it; during a catch-up, an entity may only come this way. */
  readonly isDependency: boolean
  readonly envelope: Envelope
  /**
   * The envelope as JSON, as received: changes by authors do not affect it. Undefined if it did not come in a
   * frame.
   */
  readonly text?: string | undefined
  /** Approximate size in memory, in bytes. */
  readonly bytes: number
}

/** Whether a frame was not caused by a change but describes the current state of an entity. */
export function isTold({ name, envelope, isDependency, position }: StreamEvent): boolean {
  return position !== undefined && name === 'create' && (envelope.type === undefined || isDependency)
}

/** A frame without a deliverable event. */
export interface UnreadableEvent {
  /** What is wrong with it, in words. */
  readonly problem: string
  readonly entityId?: string | undefined
  readonly entityType?: string | undefined
}

/** `referer` of a dependency's frame (OpenCTI platform, graphql/sseMiddleware.js). */
const dependencyReferer = 'init-dependencies'

/** Whether frames with this name are about an entity. */
export function isEventName(name: string): name is EventName {
  return name === 'create' || name === 'update' || name === 'delete' || name === 'merge'
}

/**
 * Decodes the data of a frame. A guard instead of a schema: this runs for every event, and everything else
 * relies on its result: an object with an id and a type.
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
  if (!isObject(parsed)) return { problem: 'the frame is not a JSON object' }
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
    return { problem: 'the "sources" of the merge are not a list', entityId: id, entityType: type }
  }
  const origin: unknown = envelope.origin
  return {
    name,
    position,
    entity: entity as unknown as Entity,
    // Events, merge sources, and letters share one rule: what is pushed under a key must be found under it.
    key: entityKeyOf(entity as unknown as Entity),
    isDependency: isObject(origin) && origin['referer'] === dependencyReferer,
    envelope,
    text: typeof data === 'string' ? (isEnvelope ? data : `{"data":${data}}`) : undefined,
    bytes,
  }
}

/** Whether {@link decodeEvent} failed. */
export function isUnreadable(event: StreamEvent | UnreadableEvent): event is UnreadableEvent {
  return 'problem' in event
}

/** The entities that a merge removes, as listed by the platform; undefined if it lists none. */
export function listedSourcesOf({ envelope }: StreamEvent): readonly Entity[] | undefined {
  const sources = sourcesOf(envelope)
  return Array.isArray(sources) ? (sources as readonly Entity[]) : undefined
}

/** Before 5.1 they were in the entity itself (OpenCTI platform, database/redis.js, `storeMergeEvent`). */
function sourcesOf({ context, data }: Envelope): unknown {
  return fieldsOf(context)['sources'] ?? fieldsOf(data)['sources']
}

/** Whether the merged entities can be iterated; a merge without sources has none to withdraw. */
function isListOrNone(sources: unknown): boolean {
  return sources === undefined || sources === null || Array.isArray(sources)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
