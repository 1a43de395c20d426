/**
 * Explains each reason for which the connector itself skips events; an author's reasons speak for themselves.
 */
export const skipWords: Readonly<Record<string, string>> = {
  transform: 'transform() gave nothing for it',
  duplicate: 'it had come before',
  'already-delivered': 'the target has this state',
  'older-than-catch-up': 'the catch-up told a newer state',
  'own-change': 'a change of the connector’s own user',
  'never-pushed': 'delete of what was never pushed',
  'not-at-target': 'delete of what the target does not have',
  'shared-external-id': 'delete of what another entity is at the target too',
  'listen-delete': 'a delete, and deletes are not to be passed on',
  unchanged: 'the target has these items',
  'no-create-hook': 'the connector has no create()',
  'no-update-hook': 'the connector has no update()',
  'no-delete-hook': 'the connector has no delete()',
  'no-route': 'no route takes it',
  'no-part': 'a dead letter without its part',
  'left-filter': 'no longer matches, and was never pushed',
  'left-route': 'no longer of this route, and was never pushed through it',
  revoked: 'revoked, and not to be withdrawn',
  expired: 'expired, and not to be withdrawn',
  coalesced: 'a newer state took its place',
  stale: 'the target has a newer state',
  overtaken: 'an event came first to what was to be repaired',
  reset: 'dropped by a reset',
  'unknown-event': 'an event of a kind that is not known',
}
