/**
 * Which generation of the platform the simulator plays: `6.x` before back-pressure, `7.x-mid` with it, `7.x-late` with empty
 * contexts and former documents where an object enters or leaves the filter (August 2026), `7.x-new` also with `object_refs` cut
 * to what the reader may see.
 */
export type PlatformProfile = '6.x' | '7.x-mid' | '7.x-late' | '7.x-new'

/** Every generation, oldest first. */
export const platformProfiles: readonly PlatformProfile[] = ['6.x', '7.x-mid', '7.x-late', '7.x-new']

/** What tells the generations apart, for the parts that must know. */
export interface PlatformFeatures {
  /** The version that `about { version }` answers. */
  readonly version: string
  /** Whether this is a 7.x: error frames, consumer metrics, back-pressure, deepest references first, newer GraphQL. */
  readonly isSeven: boolean
  /** Whether updates that enter or leave the filter are redacted, and those with restricted relations withheld. */
  readonly redactsUpdates: boolean
  /** Whether `object_refs` are cut to what the user may read. */
  readonly redactsReferences: boolean
  /** Whether a registration may carry `version` and `slug`. */
  readonly takesVersions: boolean
  /** How many objects a page of the catch-up holds. */
  readonly catchUpPage: number
}

/** The features of each generation (reference: graphql/sseMiddleware.js of the three versions). */
export const platformFeatures: Readonly<Record<PlatformProfile, PlatformFeatures>> = {
  '6.x': {
    version: '6.8.10',
    isSeven: false,
    redactsUpdates: false,
    redactsReferences: false,
    takesVersions: false,
    catchUpPage: 5000,
  },
  '7.x-mid': {
    version: '7.260428.0',
    isSeven: true,
    redactsUpdates: false,
    redactsReferences: false,
    takesVersions: false,
    catchUpPage: 500,
  },
  '7.x-late': {
    version: '7.260817.0',
    isSeven: true,
    redactsUpdates: true,
    redactsReferences: false,
    takesVersions: true,
    catchUpPage: 500,
  },
  '7.x-new': {
    version: '7.260915.0',
    isSeven: true,
    redactsUpdates: true,
    redactsReferences: true,
    takesVersions: true,
    catchUpPage: 500,
  },
}
