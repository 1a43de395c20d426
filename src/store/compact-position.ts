import { parsePosition } from '../util/position.ts'

/** Events in one millisecond that have a number. With more, a number would take 8 bytes today instead of 6. */
const perMs = 64

/** It would be lost. */
const leadingZero = /(^|-)0\d/

/** A position as a state file has it: a number if {@link textOfPosition} returns the same text, otherwise the text. */
export function compactPosition(text: string): bigint | string {
  const position = parsePosition(text)
  if (position === undefined || position.seq >= perMs || leadingZero.test(text)) return text
  const number = position.ms * perMs + position.seq
  // Not as a number: Node would store that as a floating-point number, in 8 bytes.
  return Number.isSafeInteger(number) ? BigInt(number) : text
}

export function textOfPosition(position: number | string): string {
  if (typeof position === 'string') return position
  return `${Math.floor(position / perMs)}-${position % perMs}`
}
