import { fieldsOf } from '../stix/types/json-value.ts'
import { parsedJson } from '../util/json-text.ts'

/** What is remembered of the list that the target has. */
export interface SnapshotRecord {
  /** Claims have changed since. */
  readonly isDirty: boolean
  /** What it has in it; absent before the first. */
  readonly count?: number | undefined
  readonly sha256?: string | undefined
  /** When the target took it, in milliseconds since 1970. */
  readonly takenAtMs?: number | undefined
  /** The target is still at work on a newer one. */
  readonly job?:
    { readonly id: string | undefined; readonly count: number; readonly sha256: string } | undefined
}

/** Reads what was written of a record. What somebody has spoiled counts as never taken, and is written anew. */
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
