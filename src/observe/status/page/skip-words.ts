/**
 * Explains each reason for which the connector itself skips events; an author's reasons speak for themselves.
 */
export const skipWords: Readonly<Record<string, string>> = {
  transform: 'transform() returned nothing for it',
  duplicate: 'received before',
  'already-delivered': 'the target already has this state',
  'older-than-catch-up': 'the catch-up delivered newer state',
  'own-change': 'a change of the connector’s own user',
  'never-pushed': 'delete of an entity that was never pushed',
  'not-at-target': 'delete of an entity the target does not have',
  'shared-external-id': 'delete of an item that another entity still uses',
  'listen-delete': 'deletes are disabled',
  unchanged: 'the target already has these items',
  'no-create-hook': 'the connector has no create()',
  'no-update-hook': 'the connector has no update()',
  'no-delete-hook': 'the connector has no delete()',
  'no-route': 'no route accepts it',
  'no-part': 'a dead letter without its part',
  'left-filter': 'no longer matches, and was never pushed',
  'left-route': 'no longer on this route, and was never pushed through it',
  revoked: 'revoked, and not to be removed',
  expired: 'expired, and not to be removed',
  coalesced: 'replaced by newer state',
  stale: 'the target has newer state',
  overtaken: 'an event preceded the repair',
  reset: 'dropped by a reset',
  'unknown-event': 'an unknown kind of event',
}
