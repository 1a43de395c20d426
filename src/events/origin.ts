import { type Repair } from './repair.ts'

/** Why an operation is there: an event asked for it, or a part of the connector that works without one. */
export type Origin =
  | { readonly kind: 'stream' }
  /** A dead letter is tried again. */
  | {
      readonly kind: 'replay'
      readonly letterId: number
      /** It is delivered also when the target has a newer state. */
      readonly isForced: boolean
      /** Other operations are tries of the same letter: what becomes of it is known when all of them have ended. */
      readonly isPart: boolean
    }
  /** A comparison found that the target is not as it should be. */
  | { readonly kind: 'repair'; readonly repair: Repair }
  /** The `valid_until` of what was pushed has come, in milliseconds since 1970. */
  | { readonly kind: 'expiry'; readonly dueAtMs: number }

export const ofStream: Origin = { kind: 'stream' }
