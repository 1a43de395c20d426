/**
 * Result of comparing target, id map, and platform.
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
  /** Start time, in milliseconds since 1970. */
  readonly startedAtMs: number
  /** How long it took, in milliseconds. */
  readonly durationMs: number
  /** Entities in the id map that were compared. */
  readonly known: number
  /** Items the target should have, if `transform` returns items with keys; otherwise undefined. */
  readonly items?: number | undefined
  /** Entities or items the target listed. Undefined without a `list` hook. */
  readonly listed: number | undefined
  /** In the id map, but no longer on the platform or no longer visible to the token's user. */
  readonly gone: number
  /** In the id map and on the platform, or claimed as items, but missing from the target. */
  readonly missing: number
  /** In the target, but not in the id map; or items under an unknown key. */
  readonly orphans: number
  /** Target ids or keys of the first orphans, at most 100. */
  readonly orphanIds: readonly string[]
  /** Gone entities, and items without a claim, that were removed from the target. */
  readonly withdrawn: number
  /** Missing entities or items that were recreated in the target. */
  readonly recreated: number
  /** Orphans that were ours, gone from the platform or without a claim, and were removed. */
  readonly orphansWithdrawn: number
  /** Left alone because a newer event took precedence. */
  readonly overtaken: number
  /**
   * Left alone because the connector does not handle them: `transform` returned nothing, the hook does not
   * exist, or deletes are disabled (`CONNECTOR_LIVE_STREAM_LISTEN_DELETE`).
   */
  readonly skipped: number
  /** Repairs the target rejected; the next comparison retries them. */
  readonly failed: number
  /** Repairs not made because there were too many. Check before you force them. */
  readonly refused: readonly ('withdraw' | 'recreate')[]
}

/** Options for `StreamConnector.reconcile`. */
export interface ReconcileOptions {
  /**
   * Repair even if that exceeds `reconcile.maxPercent` of the known entities.
   * @default false
   */
  readonly force?: boolean | undefined
}

/**
 * An entity in the target, or an item if `transform` returns items with keys: its id or key, or an object
 * with more detail.
 */
export type ListedItem =
  | string
  | number
  | {
      /** The id `create` returned. */
      readonly externalId?: string | number | undefined
      /** The item's key, if `transform` returns items with keys. */
      readonly key?: string | undefined
      /** The route of the item. Only needed if two routes can have the same key. */
      readonly route?: string | undefined
      /** The entity's STIX id, if the target stores it. */
      readonly stixId?: string | undefined
      /**
       * Whether it carries the mark this connector puts on what it creates.
       * @default false
       */
      readonly isOurs?: boolean | undefined
    }

/** Everything in the target, in any order. */
export type Listing = Iterable<ListedItem> | AsyncIterable<ListedItem>
