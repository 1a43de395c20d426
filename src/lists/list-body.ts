import { ReadableStream } from 'node:stream/web'
import { formatList } from './format-list.ts'
import { type LeftOut, type ListItem, type ListItems } from './list-item.ts'
import { type ListOptions } from './list-options.ts'

/** The body of a request: a list, as bytes. */
export type ListBody = ReadableStream<Uint8Array<ArrayBuffer>> & {
  /** The items left out among those read so far. */
  readonly leftOut: LeftOut
}

/**
 * A list as the body of an upload, generated while it is sent. It can be sent once, so a client must not
 * retry by itself; `this.http` does not, and the connector calls the hook again instead. `this.http` keeps
 * the whole body in memory while it is sent, because a redirect or a new token may require it again. To avoid
 * that, use your own client, such as `fetch`.
 *
 * @throws TypeError if an option is wrong.
 * @example
 * ```ts
 * import { type KyInstance, listBody, type ListItem } from 'opencti-stream-connector'
 *
 * async function upload(http: KyInstance, items: AsyncIterable<ListItem>): Promise<void> {
 *   const body = listBody(items, { format: 'plain' })
 *   await http.put('lists/domains', { body, duplex: 'half', headers: { 'content-type': 'text/plain' } })
 *   if (body.leftOut.count > 0) console.warn('Not listed', body.leftOut.examples)
 * }
 * ```
 */
export function listBody<Item extends ListItem>(
  items: ListItems<Item>,
  options: ListOptions<Item>,
): ListBody {
  const list = formatList(items, options)
  const stream = ReadableStream.from(encoded(list)) as ReadableStream<Uint8Array<ArrayBuffer>>
  return Object.assign(stream, { leftOut: list.leftOut })
}

async function* encoded(list: AsyncIterable<string>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder()
  for await (const piece of list) yield encoder.encode(piece)
}
