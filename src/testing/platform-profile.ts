/**
 * Platform generation to simulate: `6.x` without back pressure; `7.x-mid` with it; `7.x-late` with empty
 * contexts and former documents for objects that enter or leave the filter (August 2026); `7.x-new` also
 * limits `object_refs` to what the reader may see.
 */
export type PlatformProfile = '6.x' | '7.x-mid' | '7.x-late' | '7.x-new'

/** All generations, oldest first. */
export const platformProfiles: readonly PlatformProfile[] = ['6.x', '7.x-mid', '7.x-late', '7.x-new']

/** Differences between the generations. */
export interface PlatformFeatures {
  /** Version in the answer to `about { version }`. */
  readonly version: string
  /**
   * Whether this is a 7.x: error frames, consumer metrics, back pressure, deepest references first, newer
   * GraphQL.
   */
  readonly isSeven: boolean
  /**
   * Whether updates that enter or leave the filter are redacted, and those with restricted relations
   * withheld.
   */
  readonly redactsUpdates: boolean
  /** Whether `object_refs` are limited to what the user may read. */
  readonly redactsReferences: boolean
  /** Whether a registration may have `version` and `slug`. */
  readonly takesVersions: boolean
  /** Objects per catch-up page. */
  readonly catchUpPage: number
}

/** Features of each generation (reference: graphql/sseMiddleware.js of the three versions). */
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
