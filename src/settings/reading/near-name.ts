/**
 * The name a misspelled one most likely means, ignoring case: the nearest, if near enough for its length, or
 * else one with the same beginning.
 */
export function nearestName(written: string, names: readonly string[]): string | undefined {
  const word = written.trim().toLowerCase()
  let nearest: string | undefined
  let least = Math.min(3, Math.floor(word.length / 2))
  for (const name of names) {
    const known = name.toLowerCase()
    if (Math.abs(known.length - word.length) >= least && bareName(known) !== bareName(word)) continue
    const far = bareName(known) === bareName(word) ? 0 : editDistance(word, known)
    if (far < least) [nearest, least] = [name, far]
  }
  return nearest ?? names.find((name) => beginsLike(name.toLowerCase(), word))
}

const beginsLike = (known: string, word: string) =>
  (word.length > 2 && known.startsWith(word)) || (known.length > 3 && word.startsWith(known))

/** A name without word separators. */
export function bareName(name: string): string {
  return name.replace(/[^a-z0-9]/gi, '')
}

/** Levenshtein distance: insertions, deletions, and replacements between two names. */
export function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, replaced))
    }
    previous = current
  }
  return previous[right.length]!
}
