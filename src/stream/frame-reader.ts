import { constants } from 'node:buffer'
import { createParser, type EventSourceMessage, type EventSourceParser } from 'eventsource-parser'
import { type OversizedFrame, type StreamMessage } from './stream-message.ts'

/** Number of characters of an oversized frame's data to keep. */
const truncatedDataLength = 16 * 1024

/** Number of characters of a frame to keep for an {@link OversizedFrame}: its data, plus room for `id:` and `event:`. */
const maxHeadLength = truncatedDataLength + 4 * 1024

/** Size of the field names, colons, spaces, and line ends in a message with an id, an event, and data. */
const fieldBytes = 'id: \nevent: \ndata: \n\n'.length

const none: readonly StreamMessage[] = []

/**
 * Turns the bytes of one connection into messages, wherever the chunks are cut. Create a new one for each
 * connection, so that the beginning of a cut-off frame is never joined to the end of another.
 *
 * The library does the parsing; this class adds a size limit. On its own, the parser drops an oversized frame as a
 * whole and does not say which one. The limit costs nothing for frames that end in the chunk they began in, as nearly
 * all do. For longer ones, this class measures the frame and keeps its beginning.
 */
export class FrameReader {
  readonly #maxFrameBytes: number
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #parser: EventSourceParser
  #messages: StreamMessage[] = []
  #blockEnded = false
  #loneId: string | undefined
  #bytesPerCharacter = 1
  /** The last character read, and the last one before `#text`. */
  #before = startOfStream
  #beforeText = startOfStream
  /** The chunk in which a block ended; the open frame begins in it. */
  #text = ''
  /** The beginning of the open frame; undefined while it is still in `#text`. */
  #head: string | undefined = ''
  #openBytes = 0
  #skipping = false

  constructor(options: FrameReaderOptions) {
    // The parser joins a frame and the chunk that ends it, which must still fit into one string.
    this.#maxFrameBytes = Math.min(options.maxFrameBytes, constants.MAX_STRING_LENGTH / 2)
    this.#parser = createParser({
      onEvent: (message) => this.#onEvent(message),
      onId: (id) => this.#onId(id),
      onRetry: options.onRetry,
    })
  }

  /** Size of the incomplete message, in bytes; 0 until a whole chunk is part of it. */
  get openBytes(): number {
    return this.#head === undefined ? 0 : this.#openBytes
  }

  /** The messages that `chunk` completes, in order. */
  push(chunk: Uint8Array): readonly StreamMessage[] {
    const text = this.#decoder.decode(chunk, { stream: true })
    if (text === '') return none
    this.#bytesPerCharacter = chunk.byteLength / text.length
    if (this.#skipping) this.#skip(text)
    else this.#read(text)
    if (this.#messages.length === 0) return none
    const messages = this.#messages
    this.#messages = []
    return messages
  }

  #read(text: string): void {
    this.#blockEnded = false
    // The parser copies all the text it is fed to append it to the unfinished line. Fed only the end of that line first, it
    // copies one line and reads the rest in place. That saves 0.7 of the 9.4 to 14 µs of CPU per event of 1.5 KB.
    const restAt = text.indexOf('\n') + 1
    if (restAt > 0) this.#parser.feed(text.slice(0, restAt))
    if (restAt < text.length) this.#parser.feed(restAt === 0 ? text : text.slice(restAt))
    if (this.#loneId !== undefined) this.#pushLoneId()
    if (this.#blockEnded) {
      this.#text = text
      this.#head = undefined
      this.#beforeText = this.#before
    } else {
      this.#grow(text)
    }
    this.#before = text.charCodeAt(text.length - 1)
  }

  /** No message ended in this chunk: the open frame grows, or the chunk contained only comments. */
  #grow(text: string): void {
    if (this.#head === undefined) {
      this.#begin(this.#text.slice(endOfBlankLine(this.#text, this.#beforeText, 'last')))
      this.#text = ''
    }
    const end = endOfBlankLine(text, this.#before, 'last')
    if (end !== -1) {
      this.#begin(text.slice(end))
      return
    }
    this.#openBytes += text.length * this.#bytesPerCharacter
    this.#remember(text)
    if (this.#openBytes > this.#maxFrameBytes) {
      this.#parser.reset()
      this.#skipping = true
    }
  }

  #begin(text: string): void {
    this.#openBytes = text.length * this.#bytesPerCharacter
    this.#head = text.slice(0, maxHeadLength)
  }

  /** Adds `text` to the beginning of the open frame, up to the limit. */
  #remember(text: string): void {
    if (this.#head!.length < maxHeadLength) this.#head += text.slice(0, maxHeadLength - this.#head!.length)
  }

  /** Discards the rest of an oversized frame, then reads on as usual. */
  #skip(text: string): void {
    const end = endOfBlankLine(text, this.#before, 'first')
    this.#openBytes += (end === -1 ? text.length : end) * this.#bytesPerCharacter
    this.#remember(end === -1 ? text : text.slice(0, end))
    if (end === -1) {
      this.#before = text.charCodeAt(text.length - 1)
      return
    }
    this.#skipping = false
    const oversized = oversizedFrame(this.#head!, Math.round(this.#openBytes))
    if (oversized !== undefined) this.#messages.push(oversized)
    this.#begin('')
    this.#before = text.charCodeAt(end - 1)
    if (end < text.length) this.#read(text.slice(end))
  }

  /** Called for the id of each finished block, just before its event if it has one. */
  #onId(id: string): void {
    if (this.#loneId !== undefined) this.#pushLoneId()
    this.#loneId = id
    this.#blockEnded = true
  }

  #onEvent(message: EventSourceMessage): void {
    const { id, data } = message
    if (this.#loneId !== undefined) {
      if (id === undefined) this.#pushLoneId()
      else this.#loneId = undefined
    }
    const event = message.event ?? 'message'
    const length = data.length + event.length + (id === undefined ? 0 : id.length) + fieldBytes
    const bytes = this.#bytesPerCharacter === 1 ? length : Math.round(length * this.#bytesPerCharacter)
    if (bytes > this.#maxFrameBytes) this.#messages.push(truncated(id, event, data, bytes))
    else this.#messages.push({ id, event, data, bytes })
    this.#blockEnded = true
  }

  #pushLoneId(): void {
    const id = this.#loneId!
    this.#loneId = undefined
    this.#messages.push({ id, event: '', data: '', bytes: id.length + 'id: \n\n'.length })
  }
}

export interface FrameReaderOptions {
  /** A larger frame becomes an {@link OversizedFrame}. */
  readonly maxFrameBytes: number
  /** Called with the milliseconds of each `retry:` field. */
  readonly onRetry?: ((retryMs: number) => void) | undefined
}

/** Reads the beginning of a frame; undefined if it was not a message. */
function oversizedFrame(head: string, bytes: number): OversizedFrame | undefined {
  let frame: OversizedFrame | undefined
  let loneId: string | undefined
  const parser = createParser({
    onId: (id) => {
      loneId = id
    },
    onEvent: ({ id, event = 'message', data }) => {
      frame = truncated(id, event, data, bytes)
    },
  })
  parser.feed(`${head}\n\n`)
  return frame ?? (loneId === undefined ? undefined : truncated(loneId, '', '', bytes))
}

function truncated(id: string | undefined, event: string, data: string, bytes: number): OversizedFrame {
  // Copied through a buffer, because a slice would keep the whole text in memory.
  const beginning = Buffer.from(data.slice(0, truncatedDataLength)).toString()
  return { id, event, data: beginning, bytes, truncated: true }
}

const lineFeed = 10
const carriageReturn = 13

/** Which blank line of a text to look for. */
export type Which = 'first' | 'last'

/**
 * Index of the first character after the first or last blank line of `text`, or -1. A blank line ends a message.
 * Lines end in LF, CR, or CRLF, even mixed (HTML Standard, 9.2.5 "Parsing an event stream").
 *
 * Only looks at line ends, which the engine finds with `memchr`, so a megabyte on one line costs almost nothing.
 *
 * @param before the character code before `text` in the stream; {@link startOfStream} at the beginning.
 */
export function endOfBlankLine(text: string, before: number, which: Which): number {
  let found = -1
  let index = 0
  // A CR at the end of the previous text already ended the line; an LF that follows it belongs to it.
  if (before === carriageReturn && text.charCodeAt(0) === lineFeed) index = 1
  let lineStart = isLineEnd(before) ? index : -1
  let lf = text.indexOf('\n', index)
  let cr = text.indexOf('\r', index)
  while (lf !== -1 || cr !== -1) {
    const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr
    let next = end + 1
    if (end === cr && text.charCodeAt(next) === lineFeed) next++
    if (end === lineStart) {
      if (which === 'first') return next
      found = next
    }
    lineStart = next
    if (lf !== -1 && lf < next) lf = text.indexOf('\n', next)
    if (cr !== -1 && cr < next) cr = text.indexOf('\r', next)
  }
  return found
}

/** Used in place of the character before the first one: a stream begins at the beginning of a line. */
export const startOfStream = lineFeed

function isLineEnd(code: number): boolean {
  return code === lineFeed || code === carriageReturn
}
