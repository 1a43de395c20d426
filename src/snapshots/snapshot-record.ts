import { fieldsOf } from '../stix/types/json-value.ts'
import { parsedJson } from '../util/json-text.ts'

/** What is remembered about the list that the target has. */
export interface SnapshotRecord {
  /** Claims have changed since. */
  readonly isDirty: boolean
  /** Its content. Undefined before the first list. */
  readonly count?: number | undefined
  readonly sha256?: string | undefined
  /** When the target took it, in milliseconds since 1970. */
  readonly takenAtMs?: number | undefined
  /** The target is still processing a newer one. */
  readonly job?:
    { readonly id: string | undefined; readonly count: number; readonly sha256: string } | undefined
}

/** Parses a record. A corrupted one counts as never taken, and is written again. */
export function readSnapshotRecord(text: string): SnapshotRecord {
  const { isDirty, count, sha256, takenAtMs, job } = fieldsOf(parsedJson(text))
  const known = fieldsOf(job)
  return {
    isDirty: isDirty !== false,
    ...(typeof count === 'number' && { count }),
    ...(typeof sha256 === 'string' && { sha256 }),
    ...(typeof takenAtMs === 'number' && { takenAtMs }),
    ...(typeof known['id'] === 'string' && {
      job: { id: known['id'], count: Number(known['count']) || 0, sha256: String(known['sha256']) },
    }),
  }
}
