const lineFeed = 10
const carriageReturn = 13

/** Which of the blank lines of a text to look for. */
export type Which = 'first' | 'last'

/**
 * Where the first or last blank line of `text` ends: the index of the first character behind it, or -1.
 * A blank line ends a message. Lines end in LF, CR or CRLF, also mixed
 * (HTML Standard, 9.2.5 "Parsing an event stream").
 *
 * Looks only at line ends, which the engine finds with `memchr`: a megabyte on one line costs next to nothing.
 *
 * @param before the last character code in front of `text` in the stream; {@link startOfStream} if there is none.
 */
export function endOfBlankLine(text: string, before: number, which: Which): number {
  let found = -1
  let index = 0
  // A CR at the end of the former text was a whole line end; its LF, if it comes now, is no second one.
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

/** Stands for the character before the first one: the beginning of a stream is the beginning of a line. */
export const startOfStream = lineFeed

function isLineEnd(code: number): boolean {
  return code === lineFeed || code === carriageReturn
}
