/**
 * Cuts a text to a maximum length, with an ellipsis. Redact known secrets first. For others, the ellipsis
 * tells `Redactor` that the text before it may be the beginning of one.
 */
export function shortened(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text
  // Half a surrogate pair would turn into another character.
  const endsInHalf = /[\ud800-\udbff]/.test(text.charAt(maxCharacters - 1))
  return `${text.slice(0, endsInHalf ? maxCharacters - 1 : maxCharacters)}…`
}
