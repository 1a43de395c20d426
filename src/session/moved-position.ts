import { parsePlatformState } from '../opencti/platform-state.ts'
import { comparePositions, formatPosition } from '../util/position.ts'

/** A position that somebody else has written at the platform. */
export interface MovedPosition {
  /** The connector's own, `<ms>-<seq>`. */
  readonly own: string
  /** The one that the platform has instead. */
  readonly found: string
}

/**
 * What somebody else has done to the position at the platform; undefined when nobody has, as far as it shows.
 *
 * @param found the state that the platform has.
 * @param pushed the states that it may have from us, the newest last.
 */
export function movedPosition(
  found: string | undefined,
  pushed: readonly string[],
): MovedPosition | undefined {
  const position = parsePlatformState(found)?.startFrom
  if (position === undefined) return undefined
  const known = pushed.map((text) => parsePlatformState(text)?.startFrom).filter((each) => each !== undefined)
  const own = known.at(-1)
  if (own === undefined || known.some((each) => comparePositions(each, position) === 0)) return undefined
  return { own: formatPosition(own), found: formatPosition(position) }
}
