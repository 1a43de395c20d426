import { csvFormat } from './csv-format.ts'
import { hostsFormat } from './hosts-format.ts'
import { jsonLinesFormat } from './json-lines-format.ts'
import { type LineFormat } from './line-format.ts'
import { type LeftOut, LeftOutItems, type ListItem, type ListItems } from './list-item.ts'
import { type ListOptions } from './list-options.ts'
import { plainFormat } from './plain-format.ts'
import { rpzFormat } from './rpz-format.ts'

/** Number of characters to pass on together. */
const pieceLength = 65_536

/** A list as text, in pieces of whole lines. Can be read once, like its items. */
export interface FormattedList extends AsyncIterable<string> {
  /** Number of items listed among those read so far. */
  readonly count: number
  /** The items left out among those read so far. */
  readonly leftOut: LeftOut
}

/**
 * Formats items as a list, in the given order. An item that the format cannot represent is left out, counted,
 * and reported in `leftOut`; no value can add a line, a record, or a comment. The same items produce the same
 * text. If you sort them by key, the text only changes where the list does.
 *
 * @throws TypeError if an option is wrong.
 * @example
 * ```ts
 * import { formatList, itemKey } from 'opencti-stream-connector'
 *
 * const items = ['evil.example', 'a\nb'].map((name) => ({ key: itemKey('domain-name', name) ?? name }))
 * const list = formatList(items, { format: 'hosts', comments: ['Blocked by our threat intelligence'] })
 * for await (const lines of list) process.stdout.write(lines)
 * console.log(`${list.count} listed, ${list.leftOut.count} left out: ${list.leftOut.examples[0]?.reason}`)
 * ```
 */
export function formatList<Item extends ListItem>(
  items: ListItems<Item>,
  options: ListOptions<Item>,
): FormattedList {
  const format = lineFormat(options)
  return new ListText(items, format, headOf(format, options))
}

/** @throws TypeError if an option is wrong. */
export function lineFormat<Item extends ListItem>(options: ListOptions<Item>): LineFormat<Item> {
  switch (options.format) {
    case 'plain':
      return plainFormat(options)
    case 'csv':
      return csvFormat(options)
    case 'json-lines':
      return jsonLinesFormat(options)
    case 'hosts':
      return hostsFormat(options)
    case 'rpz':
      return rpzFormat(options)
    default:
      throw new TypeError('format of a list must be plain, csv, json-lines, hosts, or rpz')
  }
}

function headOf<Item extends ListItem>(format: LineFormat<Item>, options: ListOptions<Item>): string {
  if (options.format !== 'rpz') return format.head(0)
  if (options.serial === undefined)
    throw new TypeError(
      'serial of an RPZ list is required unless it is written to a file, which keeps the previous one',
    )
  return format.head(options.serial)
}

/** The text of a list while its items are read. */
export class ListText<Item extends ListItem> implements FormattedList {
  readonly leftOut = new LeftOutItems()
  readonly #items: ListItems<Item>
  readonly #format: LineFormat<Item>
  readonly #head: string
  #count = 0

  constructor(items: ListItems<Item>, format: LineFormat<Item>, head: string) {
    this.#items = items
    this.#format = format
    this.#head = head
  }

  get count(): number {
    return this.#count
  }

  async *[Symbol.asyncIterator](): AsyncIterator<string> {
    let piece = this.#head
    for await (const item of this.#items) {
      const lines = this.#format.lines(item)
      if (typeof lines !== 'string') {
        this.leftOut.add(item.key, lines.reason)
        continue
      }
      this.#count += 1
      piece += lines
      if (piece.length < pieceLength) continue
      yield piece
      piece = ''
    }
    if (piece !== '') yield piece
  }
}
