import { entityKeyOfLane } from '../events/routes.ts'
import { parsePosition } from '../util/position.ts'
import { expiredType, type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'
import { entityKeyOf } from '../stix/read/entity-ids.ts'
import { openCtiExtension } from '../stix/types/extensions.ts'
import { type EntityRecord } from '../store/state-store.ts'
import { jsonText } from '../util/json-text.ts'

/** Replaces the delete the platform did not send. Only the entity's ids are known. */
export function goneEvent(record: EntityRecord): StreamEvent {
  const { stixId } = record
  const key = entityKeyOfLane(record.key, record.route)
  const type = stixId.slice(0, Math.max(0, stixId.indexOf('--'))) || 'unknown'
  const extensions =
    key === stixId ? undefined : { [openCtiExtension]: { extension_type: 'property-extension', id: key } }
  const entity = { type, id: stixId, ...(extensions !== undefined && { extensions }) } as unknown as Entity
  return repairEvent('delete', record, entity, stixId.length)
}

/**
 * The event for the repair of an item. In the lanes of entities it uses the item's key, which no entity has;
 * the item's own lane keeps the order of its changes.
 *
 * @param record an entity that claims the item; undefined if there is none, so that only the key is known.
 */
export function itemEvent(itemKey: string, record: EntityRecord | undefined): StreamEvent {
  const event = goneEvent(record ?? { key: itemKey, stixId: itemKey })
  return { ...event, key: `repair:${itemKey}` }
}

/** Brings back an entity the target lost, in its current state on the platform. */
export function presentEvent(record: EntityRecord, entity: Entity): StreamEvent {
  const event = repairEvent('create', record, entity, (jsonText(entity) ?? record.stixId).length)
  // An imported row is known by its STIX id until its first event; the lane is the entity's.
  return event.key === record.stixId ? { ...event, key: entityKeyOf(entity) } : event
}

/** Represents the moment an entity expires, at the position of its last event. */
export function expiredEvent(record: EntityRecord): StreamEvent {
  const event = goneEvent(record)
  return {
    ...event,
    position: parsePosition(record.position ?? ''),
    envelope: { type: expiredType, message: 'valid_until has passed', data: event.entity },
  }
}

function repairEvent(
  name: 'create' | 'delete',
  record: EntityRecord,
  entity: Entity,
  bytes: number,
): StreamEvent {
  return {
    name,
    position: undefined,
    entity,
    key: entityKeyOfLane(record.key, record.route),
    isDependency: false,
    envelope: { data: entity },
    bytes,
  }
}
