import { parsePlatformState, unreadableState, type ReadPlatformState } from '../opencti/platform-state.ts'

/** Where a state was found, and what to do if it cannot be read. */
const atPlatform = {
  found: "This connector's state on the platform",
  remedy:
    'Nothing was read or changed. Correct it there, or reset it ("Reset the connector state" on the connector\'s page), and start again.',
}
export const whileRunning = {
  found: 'The state someone set for this connector on the platform',
  remedy:
    'The connector continues from its current position and overwrites that state. Change it again, or reset it.',
}
const inFile = {
  found: 'The state in the state file',
  remedy: 'Replace it with "opencti-stream state set" or "opencti-stream state reset".',
}

/** @throws StateError if the platform's copy of the state cannot be read. */
export function readRemote(text: string | undefined): ReadPlatformState | undefined {
  return readable(parsePlatformState(text), atPlatform)
}

/**
 * Reads the state in the store: it has a position, or it is the text of a reset.
 *
 * @throws StateError if it cannot be read.
 */
export function readLocal(text: string): ReadPlatformState | undefined {
  const state = readable(parsePlatformState(text), inFile)
  if (state === undefined || state.startFrom !== undefined) return state
  throw unreadableState({ ...state, problems: ['start_from is missing'] }, inFile)
}

function readable(
  state: ReadPlatformState | undefined,
  where: typeof atPlatform,
): ReadPlatformState | undefined {
  if (state !== undefined && state.problems.length > 0) throw unreadableState(state, where)
  return state
}
