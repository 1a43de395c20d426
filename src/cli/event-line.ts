import { isUnreadable, type StreamEvent } from '../opencti/stream-event.ts'
import { octiTypeOf } from '../stix/read/entity-ids.ts'
import { scoreOf } from '../stix/read/entity-rating.ts'
import { labelsOf } from '../stix/read/entity-text.ts'
import { markingsOf } from '../stix/read/markings.ts'
import { type Tlp } from '../stix/read/tlp.ts'
import { entityTitle } from './entity-title.ts'
import { type Frame } from './follow-stream.ts'
import { cell, printable } from './output.ts'
import { type Look, type Paint } from './paint.ts'
import { cutTo, widthOf } from './text-width.ts'

const looks: Readonly<Record<string, Look>> = {
  create: 'green',
  update: 'yellow',
  delete: 'red',
  merge: 'magenta',
}

const markings: Readonly<Record<Tlp, readonly [short: string, look: Look]>> = {
  'TLP:CLEAR': ['CLEAR', 'dim'],
  'TLP:GREEN': ['GREEN', 'green'],
  'TLP:AMBER': ['AMBER', 'yellow'],
  'TLP:AMBER+STRICT': ['AMBER+', 'yellow'],
  'TLP:RED': ['RED', 'red'],
}

const noMarking: readonly [short: string, look: Look] = ['', 'dim']

const typeWidth = 18
const fixedWidth = 10 + 8 + typeWidth + 1 + 5 + 8

/**
 * Formats an event as a line: time, event, type, score, marking, name, labels. Text from the platform cannot
 * send control sequences to the terminal.
 *
 * @param columns maximum width; omit for no limit.
 */
export function eventLine({ message, position, event }: Frame, paint: Paint, columns?: number): string {
  const time = position === undefined ? '--:--:--' : new Date(position.ms).toISOString().slice(11, 19)
  const name = cutTo(printable(message.event), 7)
  const start = `${paint('dim', time)}  ${paint(looks[message.event] ?? 'cyan', name)}${spaces(8 - widthOf(name))}`
  const room = columns === undefined ? Number.POSITIVE_INFINITY : Math.max(10, columns - fixedWidth)
  if (isUnreadable(event)) {
    const text = `${event.entityType ?? ''} cannot be read: ${event.problem}`.trim()
    return start + paint('red', cutTo(printable(text), room + fixedWidth - 18))
  }
  const { entity } = event
  const score = scoreOf(entity)
  const { tlp } = markingsOf(entity)
  const [marking, look] = tlp === undefined ? noMarking : markings[tlp]
  const title = entityTitle(entity, room)
  return [
    start,
    cell(octiTypeOf(entity) ?? entity.type, typeWidth),
    ' ',
    (score === undefined ? '' : String(score)).padStart(3),
    '  ',
    paint(look, marking),
    spaces(8 - marking.length),
    title,
    asideOf(event, paint, room - widthOf(title)),
  ].join('')
}

/** The separator line between two days. */
export function dayLine(ms: number, paint: Paint): string {
  return paint('dim', `── ${new Date(ms).toISOString().slice(0, 10)} UTC`)
}

/** Text after the name, as far as there is room: the reason, and the labels. */
function asideOf(event: StreamEvent, paint: Paint, room: number): string {
  const notes: string[] = []
  if (event.name === 'delete' && event.envelope.type === 'update') notes.push('(left the filter)')
  if (event.isDependency) notes.push('(dependency)')
  const labels = labelsOf(event.entity).map((label) => `#${label}`)
  const text = [...notes, ...labels].join(' ')
  if (text === '' || room < 6) return ''
  return `  ${paint('dim', cutTo(printable(text), room - 2))}`
}

function spaces(count: number): string {
  return ' '.repeat(Math.max(0, count))
}
