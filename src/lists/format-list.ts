import { csvFormat } from './csv-format.ts'
import { hostsFormat } from './hosts-format.ts'
import { jsonLinesFormat } from './json-lines-format.ts'
import { type LineFormat } from './line-format.ts'
import { type LeftOut, LeftOutItems, type ListItem, type ListItems } from './list-item.ts'
import { type ListOptions } from './list-options.ts'
import { plainFormat } from './plain-format.ts'
import { rpzFormat } from './rpz-format.ts'

/** Characters that are handed on together. */
const pieceLength = 65_536

/** A list as text, in pieces of whole lines. It can be read once, as its items can. */
export interface FormattedList extends AsyncIterable<string> {
  /** How many items it holds, of those that were read so far. */
  readonly count: number
  /** What it does not hold, of what was read so far. */
  readonly leftOut: LeftOut
}

/**
 * Writes items as a list, in the order in which they come. An item that the format cannot hold is left out, counted and told
 * in `leftOut`; no value can add a line, a record or a comment. The same items give the same text. Sort them by key, and the
 * text changes only where the list does.
 *
 * @throws TypeError when an option is wrong.
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

/** @throws TypeError when an option is wrong. */
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
      throw new TypeError('format of a list must be plain, csv, json-lines, hosts or rpz')
  }
}

function headOf<Item extends ListItem>(format: LineFormat<Item>, options: ListOptions<Item>): string {
  if (options.format !== 'rpz') return format.head(0)
  if (options.serial === undefined)
    throw new TypeError('serial of an RPZ list must be given where no file says what it was before')
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
