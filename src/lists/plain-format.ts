import { type LineFormat, commentLines, textOfItem, type Unfit, unsafeText } from './line-format.ts'
import { isUnsafe, type ListItem } from './list-item.ts'
import { type PlainOptions } from './list-options.ts'

/** Readers of such lists take `#`, `;`, and `//` at the beginning for a comment, and also `#` after a space. */
const asComment = /^(?:[#;]|\/\/)|\s#/

const asAnotherText: Unfit = { reason: 'a reader would take part of it for a comment' }
const withSpace: Unfit = { reason: 'it is empty, or begins or ends with a space' }

/** One value per line. */
export function plainFormat<Item extends ListItem>(options: PlainOptions<Item>): LineFormat<Item> {
  return {
    head: () => commentLines('#', options.comments),
    lines: (item) => {
      const { text } = textOfItem(item, options.value)
      if (isUnsafe(text)) return unsafeText
      if (text === '' || text.trim() !== text) return withSpace
      return asComment.test(text) ? asAnotherText : `${text}\n`
    },
  }
}
