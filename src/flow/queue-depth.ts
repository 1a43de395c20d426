import { type PendingEvent } from '../events/pending-event.ts'
import { type Operation } from '../events/operation.ts'

/** State of an unfinished event: a hook is working on it, it is queued, or it waits for a retry. */
export type QueueState = 'running' | 'waiting' | 'retrying'

/** Events in one state. */
export interface QueueShare {
  readonly events: number
  readonly bytes: number
}

/** All unfinished events by state. */
export type QueueDepth = Readonly<Record<QueueState, QueueShare>>

/** Input of {@link queueDepth}. */
export interface QueueView {
  /** All unfinished operations, each once. */
  readonly operations: Iterable<Operation>
  /** Operations that could start, and those collected for a batch. */
  readonly ready: Iterable<Operation>
  readonly gathered: Iterable<Operation>
  /** Operations waiting for a retry. */
  readonly retrying: { has(operation: Operation): boolean }
}

/** For an event with several operations, the most active state counts. */
const rank: Readonly<Record<QueueState, number>> = { waiting: 0, retrying: 1, running: 2 }

/**
 * Counts unfinished events by state; an event with operations in several views counts once. Iterates over
 * everything, so that passing events need no bookkeeping: use it sparingly.
 */
export function queueDepth(...views: readonly QueueView[]): QueueDepth {
  const states = new Map<PendingEvent, QueueState>()
  for (const view of views) {
    const stateOf = stateIn(view)
    for (const operation of view.operations) {
      const state = stateOf(operation)
      for (const delivery of [operation.pendingEvent, ...(operation.replaced ?? [])]) {
        const known = states.get(delivery)
        if (known === undefined || rank[state] > rank[known]) states.set(delivery, state)
      }
    }
  }
  const depth = {
    running: { events: 0, bytes: 0 },
    waiting: { events: 0, bytes: 0 },
    retrying: { events: 0, bytes: 0 },
  }
  for (const [delivery, state] of states) {
    depth[state].events++
    depth[state].bytes += delivery.bytes
  }
  return depth
}

/** Operations hooks are working on. Iterates over everything, like {@link queueDepth}. */
export function runningOperations(view: QueueView): Operation[] {
  const stateOf = stateIn(view)
  return [...view.operations].filter((operation) => stateOf(operation) === 'running')
}

function stateIn({ ready, gathered, retrying }: QueueView): (operation: Operation) => QueueState {
  const waiting = new Set([...ready, ...gathered])
  return (operation) => {
    if (operation.isStarted && !waiting.has(operation) && !retrying.has(operation)) return 'running'
    return operation.attempts.lastFailedAtMs > 0 ? 'retrying' : 'waiting'
  }
}
