/** One message of an event stream: what stood between two blank lines. */
export interface StreamMessage {
  /** The message's own `id:` field; a message without one does not inherit that of an earlier one. */
  readonly id: string | undefined
  /** The `event:` field; `message` when a block has data but no name, '' when a block has an `id:` but no data. */
  readonly event: string
  /** The `data:` lines, joined by line feeds; '' for a block without data. */
  readonly data: string
  /** The size of the message on the wire, in bytes, within a few per cent. */
  readonly bytes: number
  /** Set when the message was larger than the limit: see {@link OversizedFrame}. */
  readonly truncated?: true | undefined
}

/**
 * A message that was larger than `maxFrameBytes`. It stands in its place in the stream, so that nothing is lost
 * silently: `data` holds only the beginning and is no JSON any more, `bytes` is the size of the whole.
 */
export interface OversizedFrame extends StreamMessage {
  readonly truncated: true
}
