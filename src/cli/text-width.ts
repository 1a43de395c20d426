import stringWidth from 'string-width'

/** Splits text into what people see as characters: a family, a flag, a letter with accents. */
const characters = new Intl.Segmenter()

/** Width of a text in terminal columns. */
export function widthOf(text: string): number {
  return stringWidth(text)
}

/** As much of `text` as fits in `columns`, with an ellipsis if it was cut. */
export function cutTo(text: string, columns: number): string {
  let width = 0
  let whole = ''
  let beforeEllipsis = ''
  for (const { segment } of characters.segment(text)) {
    width += widthOf(segment)
    if (width > columns) return `${beforeEllipsis}…`
    whole += segment
    if (width < columns) beforeEllipsis = whole
  }
  return whole
}

/** Wraps `text` to `columns` between words; a longer word gets a line to itself. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(/ +/)) {
      if (line !== '' && widthOf(line) + 1 + widthOf(word) > columns) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line)
  }
  return lines
}
