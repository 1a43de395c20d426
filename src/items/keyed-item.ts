import { PermanentError } from '../errors/steering-errors.ts'

/**
 * One of several items that `transform` makes of an entity, for targets that hold values: `key` is what the target knows it
 * by, such as `ipv4-addr:203.0.113.7`. Everything in it has to be JSON.
 *
 * @example
 * ```ts
 * import { StreamConnector, itemsOf, type Entity, type KeyedItem, scoreOf, type NoSettings } from 'opencti-stream-connector'
 *
 * interface Blocked extends KeyedItem {
 *   score: number
 * }
 *
 * class Firewall extends StreamConnector<NoSettings, Blocked> {
 *   transform = (entity: Entity): Blocked[] =>
 *     itemsOf(entity).items.map(({ key }) => ({ key, score: scoreOf(entity) ?? 50 }))
 * }
 *
 * export { Firewall }
 * ```
 */
export interface KeyedItem {
  /** At most 8,192 characters, none of them a control character. Keys that differ only in case are different keys. */
  readonly key: string
}

/** Longer than any value that a target would take. */
const maxKeyCharacters = 8192

/** Whether this is a list of items with keys, not one item that happens to be a list. */
export function isItemList(answer: unknown): boolean {
  return Array.isArray(answer) && answer.some((item) => keyOf(item) !== undefined)
}

/** Control characters, and half characters: two of those would be one key on the disk. */
const unfit = /[\p{Cc}\p{Surrogate}]/u

/**
 * The items that `transform` answered with, as JSON text by key.
 *
 * @throws PermanentError when an item cannot be kept: what is wrong with which.
 */
export function readItems(answer: unknown): Map<string, string> {
  if (!Array.isArray(answer))
    throw new PermanentError(
      'transform() returned something other than a list. It has returned lists of items with keys for other entities: return a list for every entity, of one item or none if need be.',
    )
  const items = new Map<string, string>()
  for (const [index, item] of answer.entries()) {
    const key = keyOf(item)
    if (key === undefined) throw badItem(index, 'has no key')
    if (key === '') throw badItem(index, 'has an empty key')
    if (key.length > maxKeyCharacters)
      throw badItem(index, `has a key of ${key.length} characters, more than ${maxKeyCharacters}`)
    if (unfit.test(key)) throw badItem(index, 'has a key with control characters or half a character in it')
    const text = itemText(item, index)
    if (!keepsKey(item, key, text)) throw badItem(index, 'loses its key as JSON')
    const other = items.get(key)
    if (other !== undefined && other !== text)
      throw badItem(
        index,
        `has the same key as an earlier one, ${JSON.stringify(key.slice(0, 200))}, and says something else`,
      )
    items.set(key, text)
  }
  return items
}

/** The item as JSON, with the names of objects in order, so that equal items have equal texts. */
function itemText(item: unknown, index: number): string | undefined {
  try {
    return canonicalText(item)
  } catch (error) {
    throw badItem(index, 'cannot be written as JSON', error)
  }
}

/** Whether the key of an item is in its JSON: it may be a getter of its class, or `toJSON` may leave it out. */
function keepsKey(item: unknown, key: string, text: string | undefined): text is string {
  if (text === undefined) return false
  const fields = item as { readonly toJSON?: unknown }
  const isPlain =
    typeof fields.toJSON !== 'function' && Object.prototype.propertyIsEnumerable.call(fields, 'key')
  return isPlain || keyOf(JSON.parse(text)) === key
}

/** @throws what `JSON.stringify` throws: for a cycle, or a BigInt. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, sortNames)
}

function sortNames(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const names = Object.keys(value)
  if (names.every((name, index) => index === 0 || names[index - 1]! < name)) return value
  const fields = value as Readonly<Record<string, unknown>>
  return Object.fromEntries(names.toSorted().map((name) => [name, fields[name]]))
}

function keyOf(item: unknown): string | undefined {
  const key: unknown = (item as Partial<KeyedItem> | null | undefined)?.key
  return typeof key === 'string' ? key : undefined
}

function badItem(index: number, what: string, cause?: unknown): PermanentError {
  return new PermanentError(
    `transform() returned a list of items, and the item at index ${index} ${what}. Give each item a key of its own, and only what JSON can hold.`,
    { cause },
  )
}
