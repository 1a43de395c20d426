import { type Operation } from '../events/operation.ts'

/** A hook call that takes far longer than others. */
export interface HangingCall {
  readonly entityId: string
  readonly entityType: string
  /** The operation on the target: `create`, `update`, or `delete`. */
  readonly kind: string
  /** Undefined without routes. */
  readonly route?: string | undefined
  /** How long it has been running, in milliseconds. */
  readonly forMs: number
}

/** The calls that currently hang. */
export interface Hanging {
  /** Longest first. */
  readonly calls: readonly HangingCall[]
  /** Whether nothing else can start before one of them ends. */
  readonly isAll: boolean
}

export const nothingHangs: Hanging = { calls: [], isAll: false }

/** A call shorter than this never hangs, in milliseconds. */
const minMs = 60_000

/** A call hangs if it takes this many times as long as the longest finished one. */
const timesLongest = 3

/** Duration from which a call hangs, in milliseconds. */
export function hangsAfterMs(longestMs: number): number {
  return Math.max(minMs, timesLongest * longestMs)
}

export function hangingCall(operation: Operation, forMs: number): HangingCall {
  const { entity, kind, route } = operation
  return { entityId: entity.id, entityType: entity.type, kind, route: route?.name, forMs }
}
