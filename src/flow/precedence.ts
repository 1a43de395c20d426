import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Operation } from '../events/operation.ts'
import { type Queue } from '../util/queue.ts'
import { ReferencePrecedence } from './reference-precedence.ts'
import { StreamPrecedence } from './stream-precedence.ts'

/**
 * Which operations wait for others beyond those of their own entity. An operation enters when it comes, in the order of the
 * stream, and leaves when it has ended; so two of them can never wait for each other.
 */
export interface Precedence {
  /** Takes in an operation, and counts in its `blockedBy` what it has to wait for. */
  enter(operation: Operation): void
  /** An operation has ended, and has let go of others; those that wait for nothing more go to `ready`. */
  leave(operation: Operation, ready: Queue<Operation>): void
  /** Whether a newer operation of the same entity may take the place of an earlier one that waits. */
  mayFold(earlier: Operation, newer: Operation): boolean
  /** Forgets all but these, which have been started. */
  keep(started: Iterable<Operation>): void
}

/** The order that the options ask for; undefined when that of each entity is enough. */
export function precedenceOf(ordering: DeliveryOptions['ordering']): Precedence | undefined {
  if (ordering === 'entity') return undefined
  return ordering === 'strict' ? new StreamPrecedence() : new ReferencePrecedence()
}
