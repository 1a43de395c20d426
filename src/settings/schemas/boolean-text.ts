const trueTexts = new Set(['true', '1', 'yes', 'on', 't', 'y'])
const falseTexts = new Set(['false', '0', 'no', 'off', 'f', 'n'])

/** Parses a boolean, ignoring case, including the Python SDK's spellings; `undefined` for other text. */
export function booleanOfText(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (trueTexts.has(word)) return true
  return falseTexts.has(word) ? false : undefined
}
