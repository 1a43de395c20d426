import { comparePositions, parsePosition } from '../util/position.ts'

/**
 * Whether one position, `<ms>-<seq>`, comes before another. A position that is absent or cannot be read comes before none.
 * Stores know no more of positions than this.
 */
export function isEarlierPosition(one: string | undefined, other: string): boolean {
  const position = parsePosition(one ?? '')
  const otherPosition = parsePosition(other)
  if (position === undefined || otherPosition === undefined) return false
  return comparePositions(position, otherPosition) < 0
}
