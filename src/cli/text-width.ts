import stringWidth from 'string-width'

/** Into what people take for one character: a family, a flag, a letter with its accents. */
const characters = new Intl.Segmenter()

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  return stringWidth(text)
}

/** As much of `text` as `columns` columns hold, with an ellipsis where something was cut off. */
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

/** `text` in lines of at most `columns` columns, broken between words; a longer word stands on a line of its own. */
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
