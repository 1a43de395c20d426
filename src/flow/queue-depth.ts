import { type PendingEvent } from '../events/pending-event.ts'
import { type Operation } from '../events/operation.ts'

/** What becomes of an event right now: a hook is at work on it, or it waits for its turn, or for its next try. */
export type QueueState = 'running' | 'waiting' | 'retrying'

/** Events in one state. */
export interface QueueShare {
  readonly events: number
  readonly bytes: number
}

/** All events that have not ended, by state. */
export type QueueDepth = Readonly<Record<QueueState, QueueShare>>

/** What {@link queueDepth} looks at. */
export interface QueueView {
  /** All operations that have not ended, each once. */
  readonly operations: Iterable<Operation>
  /** Those of them that could start, and those that are gathered for a batch. */
  readonly ready: Iterable<Operation>
  readonly gathered: Iterable<Operation>
  /** Those that wait some time for their next try. */
  readonly resting: { has(operation: Operation): boolean }
}

/** Of an event with several operations, the liveliest state counts. */
const rank: Readonly<Record<QueueState, number>> = { waiting: 0, retrying: 1, running: 2 }

/**
 * Counts the events that have not ended, by state; one that has operations in several views counts once. Everything is looked through for it, so that nothing has to be kept
 * while events pass: it is for those who ask now and then.
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

/** The operations that a hook is at work on. Looks through everything, as {@link queueDepth} does. */
export function runningOperations(view: QueueView): Operation[] {
  const stateOf = stateIn(view)
  return [...view.operations].filter((operation) => stateOf(operation) === 'running')
}

function stateIn({ ready, gathered, resting }: QueueView): (operation: Operation) => QueueState {
  const waiting = new Set([...ready, ...gathered])
  return (operation) => {
    if (operation.isStarted && !waiting.has(operation) && !resting.has(operation)) return 'running'
    return operation.tries.lastFailedAtMs > 0 ? 'retrying' : 'waiting'
  }
}
