/** Names of all values in the state, apart from the id map's rows and the dead letters. */
export const storedValues = {
  /** The state as given to the platform: position, catch-up, foreign keys. */
  state: 'state',
  /** The states that the platform may have received last, as a list of texts. */
  pushed: 'pushed',
  /** Whether the id map knows everything that was ever pushed. */
  idMap: 'id-map',
  /** Present while some entities are known only by their STIX id, until they are first seen. */
  idMapByStixId: 'id-map-by-stix-id',
  /** The notes of an unfinished catch-up. */
  catchUp: 'catch-up',
  /**
   * The author's position that no longer counts, because someone made the connector begin elsewhere since it
   * was stored.
   */
  voidPosition: 'void-position',
  /** Since when the connector has been running without a clean end, in milliseconds since 1970. */
  runningSince: 'running-since',
  /** Whether the target assigns ids, or uses ours. */
  targetIds: 'target-ids',
  /** All routes through which something may have been pushed; the empty name for none. */
  routes: 'routes',
  /** The dead letters of a run of refusals, which are retried once the target accepts something. */
  refusedRuns: 'refused-runs',
  /** The full list that the target has; followed by `:` and the name of a route. */
  snapshot: 'snapshot',
  /** Someone agreed to a much shorter list; followed by a route in the same way. */
  snapshotConsent: 'snapshot-consent',
  /** Present if the connector has keyed items rather than one item per entity. */
  items: 'items',
  /** How far the connector has rebuilt the claims on the items after the state was lost. */
  rebuild: 'rebuild',
  /** Prefix of the key of each entity that the target may have although the id map does not say so. */
  perhapsPushedPrefix: 'perhaps-pushed:',
  /** Prefix of the name of each link waiting to be written to the platform. */
  linkPrefix: 'link:',
} as const
