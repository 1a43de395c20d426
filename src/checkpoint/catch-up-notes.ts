import { type Position } from '../opencti/position.ts'
import { type CatchUpPace } from './catch-up-plan.ts'

/** What is kept of a catch-up beside its position, also for the process after this one. */
export interface CatchUpNotes {
  /** How large the pieces are, once that is known. */
  readonly pace?: CatchUpPace | undefined
  /** Where live reading begins behind it. */
  readonly live?: Position | undefined
}

/** Keeps the notes. */
export interface CatchUpKeeper {
  catchUpNotes: CatchUpNotes
}
