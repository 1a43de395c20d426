/**
 * What a comparison of target, id map and platform found and mended.
 *
 * @example
 * ```ts
 * import { type ReconcileReport } from 'opencti-stream-connector'
 *
 * const isClean = ({ gone, missing, orphans }: ReconcileReport) => gone + missing + orphans === 0
 * console.log(isClean.length)
 * ```
 */
export interface ReconcileReport {
  /** When it began, in milliseconds since 1970. */
  readonly startedAtMs: number
  readonly durationMs: number
  /** Entities in the id map that were compared. */
  readonly known: number
  /** What the target listed; absent without a `list` hook. */
  readonly listed: number | undefined
  /** In the id map, but no longer at the platform, or no longer to be seen by the token's user. */
  readonly gone: number
  /** In the id map and at the platform, but no longer in the target. */
  readonly missing: number
  /** In the target, but not in the id map. */
  readonly orphans: number
  /** The first of the orphans, at most 100, by the target's id. */
  readonly orphanIds: readonly string[]
  /** What was gone and has been withdrawn from the target. */
  readonly withdrawn: number
  /** What was missing and is in the target again. */
  readonly recreated: number
  /** Orphans that were ours, gone at the platform, and have been withdrawn. */
  readonly orphansWithdrawn: number
  /** Left alone because an event came meanwhile, which wins. */
  readonly overtaken: number
  /**
   * Left alone because the connector wants nothing done about them: `transform` answered nothing, a hook is not there, or
   * deletes are switched off (`CONNECTOR_LIVE_STREAM_LISTEN_DELETE`).
   */
  readonly skipped: number
  /** Repairs that the target would not take; the next comparison tries them again. */
  readonly failed: number
  /** What was not done because it would have been too much: look before you force it. */
  readonly refused: readonly ('withdraw' | 'recreate')[]
}

/** How a comparison is asked for. */
export interface ReconcileOptions {
  /** Repair also when that is more than `reconcile.maxPercent` of what is known. Default `false`. */
  readonly force?: boolean | undefined
}

/** What the target holds, one of it: its id there, or more about it. */
export type ListedItem =
  | string
  | number
  | {
      /** The id that `create` answered. */
      readonly externalId?: string | number | undefined
      /** The entity's STIX id, where the target keeps it. */
      readonly stixId?: string | undefined
      /** Whether it bears the mark that this connector gives to what it creates. Default `false`. */
      readonly isOurs?: boolean | undefined
    }

/** Everything that the target holds, in any order. */
export type Listing = Iterable<ListedItem> | AsyncIterable<ListedItem>
