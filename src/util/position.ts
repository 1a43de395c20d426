/**
 * A position in the platform's stream: the id of a Redis stream entry, `<ms>-<seq>`, as two numbers. Compare
 * positions as numbers; as text, `9-0` would come after `10-0`.
 *
 * @example
 * ```ts
 * import { formatPosition, type Position } from 'opencti-stream-connector'
 *
 * const position: Position = { ms: 1_700_000_000_000, seq: 0 }
 * console.log(formatPosition(position)) // 1700000000000-0
 * ```
 */
export interface Position {
  /** Milliseconds since 1970, by the clock of the platform's Redis. */
  readonly ms: number
  /** Number of the entry within its millisecond, starting at 0. */
  readonly seq: number
}

/** The beginning of every stream. Everything the platform has kept comes after it. */
export const startOfTime: Position = Object.freeze({ ms: 0, seq: 0 })

const dash = 45
const zero = 48

/** Numbers with this many digits are always exact; real ids have 13 and a few. */
const maxDigits = 15

/**
 * Parses `<ms>-<seq>`: digits, one dash, digits, nothing else.
 *
 * @returns `undefined` for anything else. The platform would read much of that as "from now on" and lose
 *   data.
 *
 * @example
 * ```ts
 * import { parsePosition } from 'opencti-stream-connector'
 *
 * console.log(parsePosition('1700000000000-3')) // { ms: 1700000000000, seq: 3 }
 * console.log(parsePosition('1700000000000')) // undefined
 * ```
 */
export function parsePosition(text: string): Position | undefined {
  // Runs for every frame, so it makes one pass over the characters without a regular expression.
  const length = text.length
  let index = 0
  let ms = 0
  while (index < length && text.charCodeAt(index) !== dash) {
    const digit = text.charCodeAt(index) - zero
    if (digit < 0 || digit > 9 || index >= maxDigits) return undefined
    ms = ms * 10 + digit
    index++
  }
  const seqStart = index + 1
  if (index === 0 || seqStart >= length || length - seqStart > maxDigits) return undefined
  let seq = 0
  for (index = seqStart; index < length; index++) {
    const digit = text.charCodeAt(index) - zero
    if (digit < 0 || digit > 9) return undefined
    seq = seq * 10 + digit
  }
  return { ms, seq }
}

/**
 * Formats a position for the platform.
 *
 * @example
 * ```ts
 * import { formatPosition, startOfTime } from 'opencti-stream-connector'
 *
 * console.log(formatPosition(startOfTime)) // 0-0
 * ```
 */
export function formatPosition(position: Position): string {
  return `${position.ms}-${position.seq}`
}

/**
 * Negative if `a` is before `b`, 0 if they are equal, positive if it is after.
 *
 * @example
 * ```ts
 * import { comparePositions, startOfTime } from 'opencti-stream-connector'
 *
 * console.log(comparePositions(startOfTime, { ms: 1, seq: 0 }) < 0) // true
 * ```
 */
export function comparePositions(a: Position, b: Position): number {
  return a.ms - b.ms || a.seq - b.seq
}

/** No more events than this are ever numbered in one millisecond. */
const maxSeq = 999_999

/** The last position before another one: reading after it starts with that one. */
export function positionBefore({ ms, seq }: Position): Position {
  return seq > 0 ? { ms, seq: seq - 1 } : { ms: Math.max(0, ms - 1), seq: maxSeq }
}
