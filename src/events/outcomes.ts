import { type Outcome } from './event-counters.ts'

// Told apart by identity: authors skip events for reasons in words of their own.

/** How an event ends that waited when somebody reset the connector. */
export const droppedByReset: Outcome = { kind: 'skipped', reason: 'reset' }

/** How an event ends that was not delivered because the target has a newer state of its entity. */
export const staleOutcome: Outcome = { kind: 'skipped', reason: 'stale' }

/** How a repair or a withdrawal by time ends when an event of its entity came before it. */
export const overtakenOutcome: Outcome = { kind: 'skipped', reason: 'overtaken' }
