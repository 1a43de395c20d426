import { type StixObject } from '../knowledge/stix-object.ts'

/** Kind of an event. */
export type StreamEventType = 'create' | 'update' | 'delete' | 'merge'

/** A JSON Patch operation (RFC 6902). */
export interface PatchOperation {
  op: string
  path: string
  value?: unknown
  from?: string
}

/** A changed field, as sent by 7.x since February 2026. */
export interface FieldChange {
  /** Type and attribute in the platform's own names: `Indicator--confidence`. */
  field: string
  changes_removed: { raw: string }[]
  changes_added: { raw: string }[]
}

/** Context of updates and merges. */
export interface StreamContext {
  patch?: PatchOperation[]
  reverse_patch?: PatchOperation[]
  related_restrictions?: { markings: string[] }
  pir_ids?: string[]
  changes?: FieldChange[]
  sources?: readonly StixObject[]
}

/** Who caused an event; partial or empty for the platform's own work. */
export interface StreamOrigin {
  socket?: string | undefined
  ip?: string | undefined
  user_id?: string | undefined
  group_ids?: string[] | undefined
  organization_ids?: string[] | undefined
  user_metadata?: Record<string, unknown> | undefined
  referer?: string | undefined
  [property: string]: unknown
}

/** The JSON in the `data` of a live frame. */
export interface StreamEnvelope {
  readonly version: string
  readonly type: StreamEventType
  readonly scope: 'external' | 'internal'
  readonly message: string
  readonly origin: StreamOrigin
  readonly data: StixObject
  readonly context?: StreamContext
  readonly event_id?: string
}
