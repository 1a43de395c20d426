import { StateError } from '../errors/state-error.ts'
import { readBeginning, readCatchUpEnd } from '../settings/schemas/read-beginning.ts'
import { fieldsOf } from '../stix/types/json-value.ts'
import { millisecondsOfIsoDate } from '../util/iso-date.ts'
import { jsonText, parsedJson } from '../util/json-text.ts'
import { formatPosition, parsePosition, startOfTime, type Position } from '../util/position.ts'

/** A connector's state as the platform stores it and other clients write it. */
export interface PlatformState {
  /** The last position that is finished. */
  readonly startFrom: Position | undefined
  /** The end of the first catch-up, as an ISO date in UTC; false if there is none. */
  readonly recoverUntil: string | false | undefined
  /** Foreign keys, kept unchanged. */
  readonly foreign: Readonly<Record<string, unknown>>
}

/** The connector run that wrote a state to the platform. */
export interface StateWriter {
  /** Identifies the run. */
  readonly run: string
  /** The name of its machine. */
  readonly host: string
  /** When, as an ISO date by the platform's clock. */
  readonly at: string
}

/** A state parsed from text. */
export interface ReadPlatformState extends PlatformState {
  /** Who wrote it; undefined if it does not say. */
  readonly writtenBy: StateWriter | undefined
  /** The unreadable parts, each with the name of its key; the readable parts are still present. */
  readonly problems: readonly string[]
}

/** The settings for a first start. */
export interface FirstStart {
  /** Where to begin, as `<ms>-<seq>`. Undefined for the beginning of time. */
  readonly startTimestamp?: string | undefined
  /** Whether to catch up at all. */
  readonly recover: boolean
  /** Until when to catch up. Undefined for now, false for not at all. */
  readonly recoverIsoDate?: string | false | undefined
}

/** Our keys, newest first: the old ones are read but no longer written. */
const startKeys = ['start_from', 'connectorLastEventId']
const recoverKeys = ['recover_until', 'connectorStartTime']

/**
 * Key that we add during an unfinished catch-up. It repeats our `start_from`, up to which everything was caught
 * up. The Python client moves `start_from` with every frame of a catch-up, even past objects that the platform
 * has not sent yet. The two values then differ, which shows who wrote the state.
 */
export const caughtUpKey = 'caught_up_to'

/**
 * Key that says what the target holds, unless that is one object per entity: `items`. Without it, a connector that lost its state would not know that values in the target can have several owners.
 */
export const holdsKey = 'holds'

/** Whether the state was written by a connector whose target holds items, each for all entities that claim it. */
export function holdsItems({ foreign }: PlatformState): boolean {
  return foreign[holdsKey] === 'items'
}

/** Key for the writer of a state, while that run lasts. It does not affect the connector's progress. */
export const writerKey = 'written_by'

const ownKeys = new Set([...startKeys, ...recoverKeys, writerKey])

/** Maximum length of a host name (RFC 1035). */
const maxHostLength = 253

/** Texts that represent no state. */
const nothing = /^(?:null|""|\{\s*\}|\[\s*\])?$/

/**
 * Parses the text that the platform stores. Returns `undefined` if there is no state: nothing, `null`, or
 * JSON without content. Unreadable content is reported in `problems`: it must not be taken for a connector
 * that never started, which would begin with everything that exists.
 */
export function parsePlatformState(text: string | null | undefined): ReadPlatformState | undefined {
  if (text === null || text === undefined || nothing.test(text.trim())) return undefined
  const parsed = parsedJson(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    const problems = ['it is not a JSON object']
    return { startFrom: undefined, recoverUntil: undefined, writtenBy: undefined, foreign: {}, problems }
  }
  const entries = Object.entries(parsed)
  const problems: string[] = []
  // It could not be returned together with ours.
  if (jsonText(parsed) === undefined) problems.push('it is nested too deeply')
  const { start_from: startFrom, [caughtUpKey]: caughtUpTo } = fieldsOf(parsed)
  // A catch-up of ours can be anywhere since 1970: even a number with as few digits as seconds means
  // milliseconds.
  const ours =
    typeof startFrom === 'string' && startFrom === caughtUpTo ? parsePosition(startFrom) : undefined
  return {
    // Earlier Python clients wrote "-" for the beginning (client-python, opencti_connector_helper.py).
    startFrom:
      ours ?? valueOf(entries, startKeys, (value) => readBeginning(value === '-' ? 0 : value), problems),
    recoverUntil: valueOf(entries, recoverKeys, readCatchUpEnd, problems),
    writtenBy: readWriter((parsed as Record<string, unknown>)[writerKey]),
    foreign: Object.fromEntries(entries.filter(([key]) => !ownKeys.has(key))),
    problems,
  }
}

function readWriter(value: unknown): StateWriter | undefined {
  const { run, host, at } = fieldsOf(value)
  if (typeof run !== 'string' || typeof host !== 'string' || typeof at !== 'string') return undefined
  return millisecondsOfIsoDate(at) === undefined ? undefined : { run, host: host.slice(0, maxHostLength), at }
}

/** The parsed value of the first of `keys` with content; `undefined` if there is none or it cannot be read. */
function valueOf<T>(
  entries: readonly (readonly [string, unknown])[],
  keys: readonly string[],
  read: (value: unknown) => T | { readonly problem: string },
  problems: string[],
): T | undefined {
  const fields = new Map(entries)
  const key = keys.find((name) => (fields.get(name) ?? undefined) !== undefined)
  if (key === undefined) return undefined
  const value = read(fields.get(key))
  if (typeof value !== 'object' || value === null || !('problem' in value)) return value as T
  problems.push(`${key} ${value.problem}`)
  return undefined
}

/**
 * Creates the error that lists the unreadable parts of a state.
 *
 * @param whose where it was found, and what to do, as sentences around the problems.
 */
export function unreadableState(
  { problems }: ReadPlatformState,
  { found, remedy }: { readonly found: string; readonly remedy: string },
): StateError {
  return new StateError('STATE_UNREADABLE', `${found} cannot be read: ${problems.join('; ')}. ${remedy}`)
}

/** The text to give to the platform. */
export function serializePlatformState(state: PlatformState): string {
  return JSON.stringify({
    ...state.foreign,
    start_from: formatPosition(state.startFrom ?? startOfTime),
    recover_until: state.recoverUntil ?? false,
  })
}

/** Whether two texts mean the same, regardless of key order and spelling of "nothing". */
export function samePlatformState(one: string | null | undefined, other: string | null | undefined): boolean {
  const [first, second] = [parsePlatformState(one), parsePlatformState(other)]
  if (first === undefined || second === undefined) return first === second
  if (first.problems.length + second.problems.length > 0) return one === other
  return canonical(first) === canonical(second)
}

/** The state of a connector that was never started. */
export function firstPlatformState(first: FirstStart, nowMs: number): PlatformState {
  const startFrom = first.startTimestamp === undefined ? startOfTime : parsePosition(first.startTimestamp)
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`
  const recoverUntil = first.recover && first.recoverIsoDate !== false ? (first.recoverIsoDate ?? now) : false
  return { startFrom, recoverUntil, foreign: {} }
}

function canonical(state: PlatformState): string {
  const foreign = Object.entries(state.foreign).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify([state.startFrom ?? null, state.recoverUntil ?? false, foreign])
}
