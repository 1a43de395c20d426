import { type EventCounts } from '../events/event-counters.ts'
import { type AskedPause } from './gate.ts'

/** Why what goes to the target is not taken, or not sent. */
export interface Trouble {
  /** Why the target counts as down; absent when it does not. */
  readonly outage: string | undefined
  /** Why the last event was refused, while everything is and nothing but probes is sent; absent when that is not so. */
  readonly refusal: string | undefined
  /** For how long either has been so, in milliseconds; 0 when neither is. */
  readonly pausedForMs: number
  /** The pause that the target has asked for and that is not over; absent when there is none. */
  readonly askedPause: AskedPause | undefined
}

/** How one route does at one moment. */
export interface RouteAccount extends EventCounts, Trouble {
  /** Hooks, or batches, that may run side by side through it now. */
  readonly concurrencyLimit: number
}
