import { formatPosition, parsePosition, positionFromInput, startOfTime, type Position } from './position.ts'

/** A connector's state as the platform keeps it and other clients write it. */
export interface ConnectorState {
  /** The last position that needs no more work. */
  readonly startFrom: Position | undefined
  /** The end of the first catch-up, as an ISO date; false for none. */
  readonly recoverUntil: string | false | undefined
  /** Keys that are not ours, kept as they are. */
  readonly foreign: Readonly<Record<string, unknown>>
}

/** What the settings say of a first start. */
export interface FirstStart {
  /** Where to begin; absent for the beginning of time. */
  readonly startTimestamp?: string | undefined
  /** Whether to catch up at all. */
  readonly recover: boolean
  /** Until when to catch up; absent for now, false for not at all. */
  readonly recoverIsoDate?: string | false | undefined
}

/** Spellings of "no recovery" that the Python client writes and reads, and what people write for it. */
const noRecovery = /^(?:false|no|none|null|off|)$/i

/** Our keys, the newest first: the old ones are read, and no longer written. */
const startKeys = ['start_from', 'connectorLastEventId']
const recoverKeys = ['recover_until', 'connectorStartTime']

/**
 * Reads the text that the platform keeps. What is no JSON object, an empty one included, is no state.
 */
export function parseConnectorState(text: string | null | undefined): ConnectorState | undefined {
  if (text === null || text === undefined || text.trim() === '') return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
  const entries = Object.entries(parsed)
  if (entries.length === 0) return undefined
  const fields = new Map<string, unknown>(entries)
  const start = startKeys.map((key) => fields.get(key)).find((value) => value !== undefined && value !== null)
  const recover = recoverKeys
    .map((key) => fields.get(key))
    .find((value) => value !== undefined && value !== null)
  return {
    startFrom: positionOf(start),
    recoverUntil: recoveryOf(recover),
    foreign: Object.fromEntries(entries.filter(([key]) => ![...startKeys, ...recoverKeys].includes(key))),
  }
}

/** People who edit a state by hand leave out quotes and `-0`. */
function positionOf(value: unknown): Position | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const text = String(value)
  return parsePosition(text) ?? positionFromInput(text)
}

function recoveryOf(value: unknown): string | false | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || noRecovery.test(value.trim())) return false
  // The platform ignores what is no date, without a word (OpenCTI platform, graphql/sseMiddleware.js).
  return Number.isNaN(Date.parse(value)) ? false : value
}

/** The text that the platform is handed. */
export function serializeConnectorState(state: ConnectorState): string {
  return JSON.stringify({
    ...state.foreign,
    start_from: formatPosition(state.startFrom ?? startOfTime),
    recover_until: state.recoverUntil ?? false,
  })
}

/** Whether two texts say the same, whatever the order of their keys and the words for "nothing". */
export function sameConnectorState(
  one: string | null | undefined,
  other: string | null | undefined,
): boolean {
  const [first, second] = [parseConnectorState(one), parseConnectorState(other)]
  if (first === undefined || second === undefined) return first === second
  return canonical(first) === canonical(second)
}

/** The state of a connector that was never started. */
export function firstConnectorState(first: FirstStart, nowMs: number): ConnectorState {
  const startFrom =
    first.startTimestamp === undefined
      ? startOfTime
      : (positionFromInput(first.startTimestamp) ?? startOfTime)
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`
  const recoverUntil = first.recover && first.recoverIsoDate !== false ? (first.recoverIsoDate ?? now) : false
  return { startFrom, recoverUntil, foreign: {} }
}

function canonical(state: ConnectorState): string {
  const foreign = Object.entries(state.foreign).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify([state.startFrom ?? null, state.recoverUntil ?? false, foreign])
}
