import { PermanentError } from '../errors/steering-errors.ts'

/**
 * One of several items that `transform` returns for an entity, for targets that hold values. `key` identifies
 * it on the target, such as `ipv4-addr:203.0.113.7`. All of its content must be JSON.
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
  /** Up to 8,192 characters, without control characters. Keys that differ only in case are different. */
  readonly key: string
}

/** Longer than any value that a target would accept. */
const maxKeyCharacters = 8192

/** Whether this is a list of keyed items, rather than a single item that happens to be a list. */
export function isItemList(answer: unknown): boolean {
  return Array.isArray(answer) && answer.some((item) => keyOf(item) !== undefined)
}

/** Control characters, and lone surrogates: two different ones would become the same key on disk. */
const unfit = /[\p{Cc}\p{Surrogate}]/u

/**
 * The items that `transform` returned, as JSON text by key.
 *
 * @throws PermanentError if an item cannot be stored: which one, and why.
 */
export function readItems(answer: unknown): Map<string, string> {
  if (!Array.isArray(answer))
    throw new PermanentError(
      'transform() did not return a list, but returned lists of items with keys for other entities. Return a list for every entity; it may be empty.',
    )
  const items = new Map<string, string>()
  for (const [index, item] of answer.entries()) {
    const key = keyOf(item)
    if (key === undefined) throw badItem(index, 'has no key')
    if (key === '') throw badItem(index, 'has an empty key')
    if (key.length > maxKeyCharacters)
      throw badItem(index, `has a key of ${key.length} characters, more than ${maxKeyCharacters}`)
    if (unfit.test(key)) throw badItem(index, 'has a key with control characters or a lone surrogate')
    const text = itemText(item, index)
    if (!keepsKey(item, key, text)) throw badItem(index, 'loses its key when written as JSON')
    const other = items.get(key)
    if (other !== undefined && other !== text)
      throw badItem(
        index,
        `has the same key as an earlier one, ${JSON.stringify(key.slice(0, 200))}, but different content`,
      )
    items.set(key, text)
  }
  return items
}

/** The item as JSON, with sorted property names, so that equal items have equal texts. */
function itemText(item: unknown, index: number): string | undefined {
  try {
    return canonicalText(item)
  } catch (error) {
    throw badItem(index, 'cannot be written as JSON', error)
  }
}

/** Whether the item's JSON contains its key: it may be a getter of its class, or `toJSON` may omit it. */
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
    `transform() returned a list of items, and the item at index ${index} ${what}. Give each item its own key, and only content that JSON can represent.`,
    { cause },
  )
}
