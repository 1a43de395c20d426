/**
 * `text` without the characters at its end that are among `characters`. An expression such as `/=+$/` takes the square of the
 * time where many of them stand before something else.
 */
export function withoutEnd(text: string, characters: string): string {
  let end = text.length
  while (end > 0 && characters.includes(text[end - 1]!)) end--
  return text.slice(0, end)
}
