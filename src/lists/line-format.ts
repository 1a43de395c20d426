import { isUnsafe, type ListItem } from './list-item.ts'
import { partsOfKey } from './item-key.ts'

/** Why an item is not in a list. */
export interface Unfit {
  readonly reason: string
}

/** How items become lines: made anew for each list, from its options. */
export interface LineFormat<Item extends ListItem> {
  /** What stands before the items. The serial is for the one format that has one. */
  head(serial: number): string
  /** The lines of an item, each with its end. */
  lines(item: Item): string | Unfit
}

/** The text that stands for an item, and the kind of it, where that is known. */
export interface ItemText {
  readonly kind?: string | undefined
  readonly text: string
}

/** @throws TypeError when the author's function gives anything but text. */
export function textOfItem<Item extends ListItem>(
  item: Item,
  value: ((item: Item) => string) | undefined,
): ItemText {
  if (value === undefined) {
    const parts = partsOfKey(item.key)
    return parts === undefined ? { text: item.key } : { kind: parts.kind, text: parts.value }
  }
  const text: unknown = value(item)
  if (typeof text !== 'string') throw new TypeError(`value() of a list must give text, not ${typeof text}`)
  return { text }
}

/**
 * Lines of comment.
 *
 * @throws TypeError for one that would be several.
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

export const unsafeText: Unfit = { reason: 'it has a line break or another control character' }
