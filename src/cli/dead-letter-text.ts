import { isReplayable, type DeadLetterSummary, type ReplayRequest } from '../dead-letters/dead-letters.ts'
import { entityKeyOfLane } from '../events/routes.ts'
import { type DeadLetter } from '../store/state-store.ts'
import { jsonText, parsedJson } from '../util/json-text.ts'
import { cell, counted, printable, timeText } from './output.ts'
import { cutTo } from './text-width.ts'

/** Header of the list. */
export const header = '    ID  LAST FAILED (UTC)    EVENT   ENTITY                       ATTEMPTS  ERROR'

/** Width of the columns before the error. */
const errorAt = 76

/** Minimum width of the error if it must be cut. */
const minErrorColumns = 24

/**
 * Formats a row of the list.
 *
 * @param columns width of the terminal; omit to show everything.
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
  // The id may have outgrown its column.
  const room = Math.max((columns ?? Number.POSITIVE_INFINITY) - errorAt, minErrorColumns)
  const grown = Math.max(0, String(letter.id).length - 6)
  return `${start}  ${cutTo(error, room - grown)}`.trimEnd()
}

function markOf(letter: DeadLetterSummary): string {
  if (letter.replay === 'forced') return '[forced] '
  if (letter.replay === 'requested') return '[replay] '
  return isReplayable(letter) ? '' : '[unreadable] '
}

/** The type, and enough of the id to tell entities apart. */
function shortId({ entityId, entityType }: DeadLetterSummary): string {
  if (entityId === undefined) return entityType ?? '-'
  const [type, uuid] = entityId.split('--')
  return uuid === undefined ? entityId : `${[...type!].slice(0, 19).join('')}--${uuid.slice(0, 8)}`
}

/** Formats a dead letter with its message. */
export function describeLetter(letter: DeadLetter): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Dead letter', String(letter.id)],
    ['Event', letter.eventType],
    ['Entity', letter.entityId],
    ['Entity type', letter.entityType],
    ['OpenCTI id', openCtiIdOf(letter)],
    ['Route', letter.route],
    ['Position', letter.position],
    ['Attempts', String(letter.attempts)],
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
  if (!isReplayable(letter)) return 'not possible: its message is unreadable'
  if (letter.replay !== undefined) {
    const how = letter.replay === 'forced' ? ', even if it is stale' : ''
    return `requested${how}; a running connector performs it within a second`
  }
  return letter.outdatedBy === undefined ? 'not requested' : 'stale: a newer event was handled; needs --force'
}

/** Result of a replay request. */
export function replayAnswer({ requested, unreadable, missing }: ReplayRequest, isAll: boolean): string {
  if (isAll && requested + unreadable + missing.length === 0) return 'No dead letters.'
  const when = requested === 0 ? '' : ' The connector retries within a second, or when it next starts.'
  return `Replay of ${counted(requested, 'dead letter')} requested.${when}`
}

/** What could not be replayed, and what to do. */
export function replayProblem({ unreadable, missing }: ReplayRequest): string | undefined {
  const problems: string[] = []
  if (missing.length > 0) {
    problems.push(`Dead letter ${missing.join(', ')} does not exist: it may have been delivered or purged.`)
  }
  if (unreadable > 0) {
    problems.push(
      `${counted(unreadable, 'dead letter')} cannot be replayed. Their messages are not readable as events (see show). Correct the entities on the platform, then purge them.`,
    )
  }
  return problems.length === 0 ? undefined : problems.join('\n')
}

/** The message as received, parsed if it is JSON that serializes to the same text. */
export function parsedOrText(data: string): unknown {
  const message = parsedJson(data)
  return jsonText(message) === undefined ? data : message
}
