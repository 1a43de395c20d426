/** The names of all values that are kept in the state, beside the id map's rows and the dead letters. */
export const storedValues = {
  /** The state as the platform is handed it: position, catch-up, foreign keys. */
  state: 'state',
  /** What the platform may have been handed last, a list of texts. */
  pushed: 'pushed',
  /** Whether the id map knows of everything that was ever pushed. */
  idMap: 'id-map',
  /** There when some entities are known by their STIX id alone, until they are first met. */
  idMapByStixId: 'id-map-by-stix-id',
  /** The notes of an unfinished catch-up. */
  catchUp: 'catch-up',
  /**
   * Which position of the author's does not count: somebody has made the connector begin elsewhere since it was stored.
   */
  voidPosition: 'void-position',
  /** Since when the connector runs without having ended well, in milliseconds since 1970. */
  runningSince: 'running-since',
  /** Whose ids the target uses. */
  targetIds: 'target-ids',
  /** Every route through which something may have been pushed; the empty name for none. */
  routes: 'routes',
  /** The dead letters of a run of refusals, which are tried again when something is taken. */
  refusedRuns: 'refused-runs',
  /** What the target has of the list that it takes whole; followed by `:` and the name of a route. */
  snapshot: 'snapshot',
  /** Somebody agrees to a list that is much shorter; followed in the same way. */
  snapshotConsent: 'snapshot-consent',
  /** There when the connector has items with a key each, not one item for each entity. */
  items: 'items',
  /** The beginning of the name of each link that waits to be written to the platform. */
  linkPrefix: 'link:',
} as const
