/**
 * A text, or its beginning with an ellipsis. Where secrets are known, take them out before. Where they are not yet, the
 * ellipsis tells `Redactor` that the text before it may be the beginning of one.
 */
export function shortened(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text
  // Half a character would be written as another one.
  const endsInHalf = /[\ud800-\udbff]/.test(text.charAt(maxCharacters - 1))
  return `${text.slice(0, endsInHalf ? maxCharacters - 1 : maxCharacters)}…`
}
