import { comparePositions, parsePosition } from '../util/position.ts'

/**
 * Whether one position, `<ms>-<seq>`, is before another. A missing or unreadable position is before none.
 * This is all stores know about positions.
 */
export function isEarlierPosition(one: string | undefined, other: string): boolean {
  const position = parsePosition(one ?? '')
  const otherPosition = parsePosition(other)
  if (position === undefined || otherPosition === undefined) return false
  return comparePositions(position, otherPosition) < 0
}
