/** Marks of a cut: our own ellipsis, and that of others. */
const cutMark = /…|\.\.\./g

/** Minimum length of a beginning before a cut, in characters: shorter ones occur in any text. */
const minCharacters = 4

/**
 * Without a mark, the end of a text must be at least this long, and half of a secret, to count as a cut
 * secret.
 */
const minUnmarkedCharacters = 8

/** Replaces the beginning of `secret` wherever a cut has left it in `text`. */
export function withoutCutSecrets(text: string, secret: string, replacement: string): string {
  let clean = ''
  let rest = 0
  for (const [start, end] of beginningsIn(text, secret)) {
    clean += text.slice(rest, Math.max(rest, start)) + replacement
    rest = end
  }
  return rest === 0 ? text : clean + text.slice(rest)
}

function beginningsIn(text: string, secret: string): [start: number, end: number][] {
  const found: [number, number][] = []
  const head = secret.slice(0, minCharacters)
  let at = text.indexOf(head)
  if (at < 0) return found
  const borders = bordersOf(secret)
  const minAtEnd = Math.max(minUnmarkedCharacters, Math.ceil(secret.length / 2))
  /** How much of the secret is right before `at` (Knuth–Morris–Pratt: linear for any text). */
  let length = 0
  for (const [end, min] of [...cutsIn(text), [text.length, minAtEnd] as const]) {
    for (; at < end; at++) {
      if (length === 0) {
        at = text.indexOf(head, at)
        if (at < 0) return found
        if (at >= end) break
      }
      while (length > 0 && secret[length] !== text[at]) length = borders[length - 1]!
      if (secret[length] === text[at]) length++
    }
    if (at === end && length >= min) found.push([end - length, end])
  }
  return found
}

function cutsIn(text: string): (readonly [end: number, min: number])[] {
  const ends = [...text.matchAll(cutMark)].flatMap(({ index }) =>
    // V8 puts its dots after the closing quotation mark.
    text[index - 1] === '"' ? [index - 1, index] : [index],
  )
  return ends.map((end) => [end, minCharacters] as const)
}

/** For each prefix of `text`, the length of its longest proper prefix that is also a suffix. */
function bordersOf(text: string): Uint32Array {
  const borders = new Uint32Array(text.length)
  for (let at = 1, length = 0; at < text.length; at++) {
    while (length > 0 && text[length] !== text[at]) length = borders[length - 1]!
    if (text[length] === text[at]) length++
    borders[at] = length
  }
  return borders
}
