import { type Operation } from '../events/operation.ts'

/** A call of a hook that takes far longer than others. */
export interface HangingCall {
  readonly entityId: string
  readonly entityType: string
  /** What the target is told: `create`, `update`, `delete`. */
  readonly kind: string
  /** Absent where there are no routes. */
  readonly route?: string | undefined
  /** For how long it has been at work, in milliseconds. */
  readonly forMs: number
}

/** The calls that hang at one moment. */
export interface Hanging {
  /** The longest first. */
  readonly calls: readonly HangingCall[]
  /** Whether nothing else can start before one of them ends. */
  readonly isAll: boolean
}

export const nothingHangs: Hanging = { calls: [], isAll: false }

/** A call that is shorter than this never hangs, in milliseconds. */
const minMs = 60_000

/** A call hangs that takes so many times as long as the longest that has ended. */
const timesLongest = 3

/** From when on a call hangs, in milliseconds. */
export function hangsAfterMs(longestMs: number): number {
  return Math.max(minMs, timesLongest * longestMs)
}

export function hangingCall(operation: Operation, forMs: number): HangingCall {
  const { entity, kind, route } = operation
  return { entityId: entity.id, entityType: entity.type, kind, route: route?.name, forMs }
}
