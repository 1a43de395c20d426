import { isReplayable, type DeadLetterSummary, type ReplayRequest } from '../dead-letters/dead-letters.ts'
import { entityKeyOfLane } from '../events/routes.ts'
import { type DeadLetter } from '../store/state-store.ts'
import { jsonText, parsedJson } from '../util/json-text.ts'
import { cell, counted, printable, timeText } from './output.ts'
import { cutTo } from './text-width.ts'

/** The first line of the list. */
export const header = '    ID  LAST FAILED (UTC)    EVENT   ENTITY                          TRIES  ERROR'

/** What the columns before the error take. */
const errorAt = 76

/** What is shown of an error at least, where it has to be cut. */
const minErrorColumns = 24

/**
 * A line of the list.
 *
 * @param columns those of the terminal; without one nothing is cut off.
 */
export function rowOf(
  letter: DeadLetterSummary,
  columns = process.stdout.columns as number | undefined,
): string {
  const error = printable(`${markOf(letter)}${letter.error}`)
  const start = [
    String(letter.id).padStart(6),
    timeText(letter.lastAtMs),
    cell(letter.eventType, 6),
    cell(shortId(letter), 30),
    String(letter.attempts).padStart(5),
  ].join('  ')
  // Its id can have grown beyond its column.
  const room = Math.max((columns ?? Number.POSITIVE_INFINITY) - errorAt, minErrorColumns)
  const grown = Math.max(0, String(letter.id).length - 6)
  return `${start}  ${cutTo(error, room - grown)}`.trimEnd()
}

function markOf(letter: DeadLetterSummary): string {
  if (letter.replay === 'forced') return '[forced] '
  if (letter.replay === 'requested') return '[replay] '
  return isReplayable(letter) ? '' : '[unreadable] '
}

/** The type and as much of the id as tells entities apart. */
function shortId({ entityId, entityType }: DeadLetterSummary): string {
  if (entityId === undefined) return entityType ?? '-'
  const [type, uuid] = entityId.split('--')
  return uuid === undefined ? entityId : `${[...type!].slice(0, 19).join('')}--${uuid.slice(0, 8)}`
}

/** One dead letter with its message. */
export function describeLetter(letter: DeadLetter): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Dead letter', String(letter.id)],
    ['Event', letter.eventType],
    ['Entity', letter.entityId],
    ['Entity type', letter.entityType],
    ['OpenCTI id', openCtiIdOf(letter)],
    ['Route', letter.route],
    ['Position', letter.position],
    ['Tries', String(letter.attempts)],
    ['First failed', `${timeText(letter.firstAtMs)} UTC`],
    ['Last failed', `${timeText(letter.lastAtMs)} UTC`],
    ['Replay', replayText(letter)],
  ]
  const lines = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name.padEnd(13)} ${printable(value)}`],
  )
  const message = parsedOrText(letter.data)
  const text = typeof message === 'string' ? message : JSON.stringify(message, undefined, 2)
  return `${lines.join('\n')}\n\nError\n${printable(letter.error, true)}\n\nMessage\n${printable(text, true)}\n`
}

function openCtiIdOf({ key, route, entityId }: DeadLetter): string | undefined {
  const id = key === undefined ? undefined : entityKeyOfLane(key, route)
  return id === entityId ? undefined : id
}

function replayText(letter: DeadLetter): string {
  if (!isReplayable(letter)) return 'not possible: its message could not be read'
  if (letter.replay !== undefined) {
    const how = letter.replay === 'forced' ? ', also if it is stale' : ''
    return `requested${how}; the running connector does it within a second`
  }
  return letter.outdatedBy === undefined ? 'not requested' : 'stale: a newer event was handled; needs --force'
}

/** What came of a request. */
export function replayAnswer({ requested, unreadable, missing }: ReplayRequest, isAll: boolean): string {
  if (isAll && requested + unreadable + missing.length === 0) return 'No dead letters.'
  const when = requested === 0 ? '' : ' The connector tries within a second, or when it next starts.'
  return `Replay of ${counted(requested, 'dead letter')} requested.${when}`
}

/** What was asked for and cannot be, and what to do. */
export function replayProblem({ unreadable, missing }: ReplayRequest): string | undefined {
  const problems: string[] = []
  if (missing.length > 0) {
    problems.push(`There is no dead letter ${missing.join(', ')}: it may have been delivered or purged.`)
  }
  if (unreadable > 0) {
    problems.push(
      `${counted(unreadable, 'dead letter')} cannot be replayed. Their messages could not be read as events (see show). Correct the entities at the platform, then purge them.`,
    )
  }
  return problems.length === 0 ? undefined : problems.join('\n')
}

/** The message as it came, parsed when it is JSON that can be written as such again. */
export function parsedOrText(data: string): unknown {
  const message = parsedJson(data)
  return jsonText(message) === undefined ? data : message
}
