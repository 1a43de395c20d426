import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Operation } from '../events/operation.ts'
import { type Queue } from '../util/queue.ts'
import { ReferencePrecedence } from './reference-precedence.ts'
import { StreamPrecedence } from './stream-precedence.ts'

/**
 * Which operations wait for others, beyond those of their own entity. An operation enters on arrival, in
 * stream order, and leaves when it has ended, so two never wait for each other.
 */
export interface Precedence {
  /** Adds an operation, and counts in its `blockedBy` what it must wait for. */
  enter(operation: Operation): void
  /** An operation has ended and unblocks others; those no longer waiting for anything go to `ready`. */
  leave(operation: Operation, ready: Queue<Operation>): void
  /** Whether a newer operation of the same entity may replace an earlier queued one. */
  mayFold(earlier: Operation, newer: Operation): boolean
  /** Forgets all but these, which have started. */
  keep(started: Iterable<Operation>): void
}

/** The configured order; undefined if per-entity order is enough. */
export function precedenceOf(ordering: DeliveryOptions['ordering']): Precedence | undefined {
  if (ordering === 'entity') return undefined
  return ordering === 'strict' ? new StreamPrecedence() : new ReferencePrecedence()
}
