import { parsePlatformState } from '../opencti/platform-state.ts'
import { comparePositions, formatPosition } from '../util/position.ts'

/** A position someone else wrote to the platform. */
export interface MovedPosition {
  /** The connector's own position, `<ms>-<seq>`. */
  readonly own: string
  /** The position on the platform. */
  readonly found: string
}

/**
 * Detects that someone else changed the position on the platform; undefined if there is no sign of it.
 *
 * @param found state on the platform.
 * @param pushed states it may have from us, newest last.
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
