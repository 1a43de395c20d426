import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Entity } from '../stix/types/entity.ts'
import { validUntilOf } from '../stix/read/entity-life.ts'

/** When an entity that is pushed has to be withdrawn, in milliseconds since 1970; undefined for never. */
export function dueAtMs(
  entity: Entity,
  { on, filter }: Pick<DeliveryOptions, 'on' | 'filter'>,
): number | undefined {
  if (filter.revoked === 'only') return undefined
  if (!on.expiryTimer || on.expired !== 'delete' || entity.type !== 'indicator') return undefined
  const atMs = Date.parse(validUntilOf(entity) ?? '')
  return Number.isNaN(atMs) ? undefined : atMs
}
