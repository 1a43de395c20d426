/**
 * Strips the given characters from the end of `text`. An expression such as `/=+$/` takes quadratic time if
 * many of them precede something else.
 */
export function withoutEnd(text: string, characters: string): string {
  let end = text.length
  while (end > 0 && characters.includes(text[end - 1]!)) end--
  return text.slice(0, end)
}
