/** What is told of a text that can be as long as somebody else likes, in characters. */
const maxCharacters = 400

/** A text, or its beginning. Take secrets out before: half of one is not recognised any more. */
export function shortened(text: string): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters)}…`
}
