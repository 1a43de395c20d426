import { isUnsafe, type ListItem } from './list-item.ts'
import { partsOfKey } from './item-key.ts'

/** Why an item is left out of a list. */
export interface Unfit {
  readonly reason: string
}

/** How items become lines; created for each list from its options. */
export interface LineFormat<Item extends ListItem> {
  /** The text before the items. Only one format uses the serial. */
  head(serial: number): string
  /** The lines of an item, each with its line end. */
  lines(item: Item): string | Unfit
}

/** The text of an item, and its kind if known. */
export interface ItemText {
  readonly kind?: string | undefined
  readonly text: string
}

/** @throws TypeError if the author's function returns anything but text. */
export function textOfItem<Item extends ListItem>(
  item: Item,
  value: ((item: Item) => string) | undefined,
): ItemText {
  if (value === undefined) return textOfKey(item.key)
  const text: unknown = value(item)
  if (typeof text !== 'string') throw new TypeError(`value() of a list must return text, not ${typeof text}`)
  return { text }
}

/** The text of a key: the value of one from `itemKey`, else the whole key. */
export function textOfKey(key: string): ItemText {
  const parts = partsOfKey(key)
  return parts === undefined ? { text: key } : { kind: parts.kind, text: parts.value }
}

/**
 * Comment lines.
 *
 * @throws TypeError for a comment with several lines.
 */
export function commentLines(sign: string, comments: readonly string[] = []): string {
  return comments
    .map((comment) => {
      if (isUnsafe(comment))
        throw new TypeError('a comment of a list must be one line without control characters')
      return `${`${sign} ${comment}`.trimEnd()}\n`
    })
    .join('')
}

export const unsafeText: Unfit = { reason: 'it contains a line break or another control character' }
