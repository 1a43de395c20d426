/** Characters that take two columns of a terminal: of East Asia, and pictures. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

/** Characters that take none: they sit on the one before, or cannot be seen. */
const narrow = /^[\p{Mn}\p{Me}\p{Cf}]$/u

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

/** As much of `text` as `columns` columns hold, with an ellipsis where something was cut off. */
export function cutTo(text: string, columns: number): string {
  if (text.length <= columns && /^[ -~]*$/.test(text)) return text
  let width = 0
  let kept = ''
  for (const character of text) {
    width += columnsOf(character)
    if (width > columns) return `${withoutLast(kept, columns - 1)}…`
    kept += character
  }
  return kept
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

function withoutLast(text: string, columns: number): string {
  const characters = [...text]
  let width = widthOf(text)
  while (width > columns && characters.length > 0) width -= columnsOf(characters.pop()!)
  return characters.join('')
}

function columnsOf(character: string): number {
  if (character >= ' ' && character <= '~') return 1
  if (narrow.test(character)) return 0
  return wide.test(character) ? 2 : 1
}
