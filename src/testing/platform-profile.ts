/**
 * Which generation of the platform the simulator plays: `6.x` before back-pressure, `7.x-mid` with it, `7.x-new`
 * with redacted events (from September 2026).
 */
export type PlatformProfile = '6.x' | '7.x-mid' | '7.x-new'

/** What tells the generations apart, for the parts that must know. */
export interface PlatformFeatures {
  /** The version that `about { version }` answers. */
  readonly version: string
  /** Whether this is a 7.x: error frames, consumer metrics, back-pressure, deepest references first, newer GraphQL. */
  readonly isSeven: boolean
  /** Whether updates that enter or leave the filter are redacted, and references cut to what the user may read. */
  readonly redacts: boolean
  /** How many objects a page of the catch-up holds. */
  readonly catchUpPage: number
}

/** The features of each generation (reference: graphql/sseMiddleware.js of the three versions). */
export const platformFeatures: Readonly<Record<PlatformProfile, PlatformFeatures>> = {
  '6.x': { version: '6.8.12', isSeven: false, redacts: false, catchUpPage: 5000 },
  '7.x-mid': { version: '7.260428.0', isSeven: true, redacts: false, catchUpPage: 500 },
  '7.x-new': { version: '7.260915.0', isSeven: true, redacts: true, catchUpPage: 500 },
}
