/** One message of an event stream: the text between two blank lines. */
export interface StreamMessage {
  /** The message's own `id:` field; a message without one does not inherit an earlier one. */
  readonly id: string | undefined
  /** The `event:` field; `message` if a block has data but no name, empty if it has an `id:` but no data. */
  readonly event: string
  /** The `data:` lines, joined by line feeds; empty for a block without data. */
  readonly data: string
  /** The size of the message on the wire, in bytes, accurate to a few percent. */
  readonly bytes: number
  /** Set if the message exceeded the limit: see {@link OversizedFrame}. */
  readonly truncated?: true | undefined
}

/**
 * A message larger than `maxFrameBytes`. It keeps its place in the stream, so that nothing is lost silently:
 * `data` holds only the beginning and is not valid JSON, `bytes` is the size of the whole.
 */
export interface OversizedFrame extends StreamMessage {
  readonly truncated: true
}
