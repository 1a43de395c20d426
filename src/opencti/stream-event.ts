import { type Entity } from '../stix/types/entity.ts'
import { type Position } from '../util/position.ts'

/** What a frame of the stream can say of an entity. */
export type EventName = 'create' | 'update' | 'delete' | 'merge'

/** Stands as the type of an envelope that no platform has sent: the time of its entity has come. */
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
  readonly op: string
  readonly path: string
  readonly value?: unknown
  readonly from?: string | undefined
}

/**
 * An event of the stream as the platform sends it: the JSON of a frame. In catch-up only `data`, `message`, `origin` and `version` are there
 * (OpenCTI platform, graphql/sseMiddleware.js).
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
  readonly data: Entity
  readonly version?: string | undefined
  /** What happened at the platform; it may differ from the frame's name, which is what counts. */
  readonly type?: string | undefined
  readonly scope?: string | undefined
  readonly message?: string | undefined
  readonly origin?:
    | {
        readonly referer?: string | undefined
        readonly user_id?: string | undefined
        readonly [key: string]: unknown
      }
    | undefined
  readonly context?:
    | {
        readonly patch?: readonly PatchOperation[] | undefined
        readonly reverse_patch?: readonly PatchOperation[] | undefined
        readonly sources?: readonly Entity[] | undefined
        readonly [key: string]: unknown
      }
    | undefined
  readonly event_id?: string | undefined
  readonly [key: string]: unknown
}

/** One event of the stream about one entity. */
export interface StreamEvent {
  /** The name of the frame, which decides what is done. */
  readonly name: EventName
  /** Where it stands in the stream; absent when it came from elsewhere. */
  readonly position: Position | undefined
  readonly entity: Entity
  /** OpenCTI's internal id, which never changes; the STIX id where there is none. */
  readonly key: string
  /** Sent because another entity refers to it; in catch-up an entity may come only like that. */
  readonly isDependency: boolean
  readonly envelope: Envelope
  /** The envelope as JSON, as it came: what authors do to the entity does not change it. Absent where no frame brought it. */
  readonly text?: string | undefined
  /** Roughly what it occupies in memory. */
  readonly bytes: number
}

/** What a frame tells that was not sent because something happened: it is the state of an entity as it is. */
export function isTold({ name, envelope, isDependency, position }: StreamEvent): boolean {
  return position !== undefined && name === 'create' && (envelope.type === undefined || isDependency)
}
