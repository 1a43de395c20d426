import { type Command, InvalidArgumentError } from 'commander'
import { isUnreadable } from '../opencti/stream-event.ts'
import { octiTypeOf } from '../stix/read/entity-ids.ts'
import { nameOf } from '../stix/read/entity-name.ts'
import { scoreOf } from '../stix/read/entity-rating.ts'
import { labelsOf } from '../stix/read/entity-text.ts'
import { tlpOf } from '../stix/read/markings.ts'
import { parseTlp } from '../stix/read/tlp.ts'
import { type Frame } from './follow-stream.ts'

/** Filter options; all given conditions must hold. */
export interface FilterChoices {
  readonly type?: readonly string[] | undefined
  readonly event?: readonly string[] | undefined
  readonly label?: readonly string[] | undefined
  readonly tlp?: readonly string[] | undefined
  readonly minScore?: number | undefined
  readonly name?: string | undefined
}

/** Adds the options of {@link FilterChoices} to a command. */
export function addFilterOptions(command: Command): Command {
  return command
    .option('--type <types>', 'only these types, STIX or OpenCTI: indicator,ipv4-addr,Domain-Name', list)
    .option('--event <events>', 'only these events: create,update,delete,merge', events)
    .option('--label <labels>', 'only entities with any of these labels', list)
    .option('--tlp <markings>', 'only these markings: clear,green,amber,amber+strict,red', markings)
    .option('--min-score <score>', 'only entities with at least this score', score)
    .option('--name <text>', 'only entities with this in their name, ignoring case')
}

/** Whether to show a frame. Unreadable frames pass unless a condition needs their content. */
export function passes({ message, event }: Frame, choices: FilterChoices): boolean {
  const { type, label, tlp, minScore, name } = choices
  if (choices.event !== undefined && !choices.event.includes(message.event)) return false
  if (isUnreadable(event)) {
    return [type, label, tlp, minScore, name].every((choice) => choice === undefined)
  }
  const { entity } = event
  const types = new Set([entity.type.toLowerCase(), octiTypeOf(entity)?.toLowerCase()])
  if (type !== undefined && !type.some((wanted) => types.has(wanted))) return false
  if (label !== undefined) {
    const labels = new Set(labelsOf(entity).map((text) => text.toLowerCase()))
    if (!label.some((wanted) => labels.has(wanted))) return false
  }
  if (tlp !== undefined && !tlp.includes(tlpOf(entity))) return false
  if (minScore !== undefined && (scoreOf(entity) ?? -1) < minScore) return false
  return name === undefined || nameOf(entity).toLowerCase().includes(name.toLowerCase())
}

/** A comma-separated list, or a repeated option. */
function list(text: string, before: readonly string[] = []): string[] {
  const words = text.split(',').map((word) => word.trim().toLowerCase())
  return [...before, ...words.filter((word) => word !== '')]
}

const knownEvents = ['create', 'update', 'delete', 'merge']

function events(text: string, before?: readonly string[]): string[] {
  const names = list(text, before)
  if (names.every((name) => knownEvents.includes(name))) return names
  throw new InvalidArgumentError(`Must be one of ${knownEvents.join(', ')}.`)
}

function markings(text: string, before: readonly string[] = []): string[] {
  const names = list(text).map((word) => parseTlp(`TLP:${word.replace(/^tlp:/, '')}`))
  const known = names.filter((name) => name !== undefined)
  if (known.length === names.length) return [...before, ...known]
  throw new InvalidArgumentError('Must be one of clear, green, amber, amber+strict, red.')
}

function score(text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && number >= 0 && number <= 100) return number
  throw new InvalidArgumentError('Must be a number from 0 to 100.')
}
