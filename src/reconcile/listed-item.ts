import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type ListedItem } from '../contract/reconcile-report.ts'

/** What the `list` hook says about one item in the target; it has at least one id. */
export interface Listed {
  readonly externalId: string | undefined
  readonly key: string | undefined
  readonly route: string | undefined
  readonly stixId: string | undefined
  readonly isOurs: boolean
}

/** @throws StreamConnectorError with `HOOK_RESULT` if it has no id. */
export function readListedItem(item: ListedItem): Listed {
  if (typeof item === 'string' || typeof item === 'number') {
    return { externalId: String(item), key: undefined, route: undefined, stixId: undefined, isOurs: false }
  }
  const { externalId, key, route, stixId, isOurs } = (item ?? {}) as Exclude<ListedItem, string | number>
  const isId = typeof externalId === 'string' || typeof externalId === 'number'
  if (!isId && typeof stixId !== 'string' && typeof key !== 'string')
    throw badListing('an item without externalId, stixId, and key')
  return {
    externalId: isId ? String(externalId) : undefined,
    key: textOf(key),
    route: textOf(route),
    stixId: textOf(stixId),
    isOurs: isOurs === true,
  }
}

/** The target's id is more specific: with two routes, an entity has two of them but one STIX id. */
export function entityIdsOf({ externalId, stixId, key }: Listed): readonly string[] {
  const ids = [externalId, stixId].filter((id) => id !== undefined)
  return ids.length > 0 ? ids : [key!]
}

export function badListing(what: string): StreamConnectorError {
  return new StreamConnectorError(
    'HOOK_RESULT',
    `list() returned ${what}. Return an array or (async) iterable of the target's ids, or of objects with externalId, stixId, or key.`,
  )
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
