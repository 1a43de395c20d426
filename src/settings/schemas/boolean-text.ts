const trueTexts = new Set(['true', '1', 'yes', 'on', 't', 'y'])
const falseTexts = new Set(['false', '0', 'no', 'off', 'f', 'n'])

/** The boolean that a text spells, in any case, with the spellings of the Python SDK; `undefined` for other texts. */
export function booleanOfText(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (trueTexts.has(word)) return true
  return falseTexts.has(word) ? false : undefined
}
