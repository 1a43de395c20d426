import { type z } from 'zod'
import { repeatsReceived, type ReceivedValue } from '../sources/echo-guard.ts'
import { expectedOf } from './expected-text.ts'
import { coreOf, definitionOf, shapeOf } from '../schemas/inner-schema.ts'
import { notesOf } from '../schemas/setting-notes.ts'

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a JSON object',
  record: 'a JSON object',
  date: 'an ISO date',
}

/**
 * Describes what is wrong with a setting, to follow its name in a sentence. Built from the kind of issue, so
 * it never contains the received value. An author's own message is used only if it does not repeat any of it.
 *
 * @param schema schema of the setting the issue's path starts from.
 * @param path path of the issue below that setting.
 */
export function issueMessage(
  issue: z.core.$ZodIssue,
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
  received: readonly ReceivedValue[],
): string {
  const message = authorMessage(issue, received) ?? messageByCode(issue, schemaAt(schema, path))
  return `${message}${placeOf(schema, path)}`
}

function authorMessage(issue: z.core.$ZodIssue, received: readonly ReceivedValue[]): string | undefined {
  const message = issue.message.trim().replace(/\.$/, '')
  if (message === '' || /^(?:Invalid|Too small|Too big|Unrecognized)\b/.test(message)) return undefined
  if (repeatsReceived(message, received)) return undefined
  const isPredicate = /^(?:must|is|are|has|have|holds|names|and|does|do|cannot|needs|should|may)\b/.test(
    message,
  )
  return isPredicate ? message : `is not valid: ${message}`
}

function messageByCode(issue: z.core.$ZodIssue, schema: z.core.$ZodType): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${expectedType(issue.expected, schema)}`
    case 'too_small':
      return `must ${limit('least', issue.origin, issue.minimum, issue.inclusive)}`
    case 'too_big':
      return `must ${limit('most', issue.origin, issue.maximum, issue.inclusive)}`
    case 'invalid_format':
      return issue.format === 'regex' ? 'does not have the expected format' : `must be ${expectedOf(schema)}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_value':
    case 'invalid_union':
      return `must be ${expectedOf(schema)}`
    case 'unrecognized_keys':
      return 'has unknown fields'
    case 'invalid_key':
      return 'contains a name that is not valid'
    case 'invalid_element':
      return 'contains an item that is not valid'
    default:
      return 'is not valid'
  }
}

/** The expected type: that of the setting, or what a later step of a pipe turns it into. */
function expectedType(expected: string, schema: z.core.$ZodType): string {
  const { type } = definitionOf(coreOf(schema))
  const isFirstStep = type === expected || (type === 'number' && expected === 'int') || type === 'pipe'
  if (isFirstStep || notesOf(schema).expected !== undefined) return expectedOf(schema)
  return kinds[expected] ?? expectedOf(schema)
}

function limit(end: 'least' | 'most', origin: string, value: number | bigint, inclusive = true): string {
  const isCount = ['string', 'array', 'set', 'map', 'file'].includes(origin)
  const unit = isCount
    ? ` ${origin === 'string' ? 'character' : 'item'}${Number(value) === 1 ? '' : 's'}`
    : ''
  // Dates arrive as milliseconds since 1970.
  const shown = origin === 'date' ? new Date(Number(value)).toISOString() : String(value)
  const verb = isCount ? 'have' : 'be'
  if (inclusive) return `${verb} at ${end} ${shown}${unit}`
  return `${verb} ${end === 'least' ? 'more' : 'less'} than ${shown}${unit}`
}

/** The schema at `path`, or the deepest known one on the way. */
function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType {
  const [step, ...rest] = path
  if (step === undefined) return schema
  const next = childOf(schema, step)
  return next === undefined ? schema : schemaAt(next, rest)
}

function childOf(schema: z.core.$ZodType, step: PropertyKey): z.core.$ZodType | undefined {
  const def = definitionOf(coreOf(schema))
  switch (def.type) {
    case 'object':
      return Object.hasOwn(def.shape, step) ? def.shape[String(step)] : undefined
    case 'array':
      return def.element
    case 'record':
    case 'map':
    case 'set':
      return def.valueType
    case 'tuple':
      return def.items[Number(step)] ?? def.rest ?? undefined
    default:
      return undefined
  }
}

/** Location inside the setting. Omits names the schema does not know, because they were received. */
function placeOf(schema: z.core.$ZodType, path: readonly PropertyKey[]): string {
  const parts: string[] = []
  let current: z.core.$ZodType | undefined = schema
  for (const step of path) {
    const shape: Readonly<Record<string, unknown>> | undefined = current && shapeOf(current)
    if (typeof step === 'number') parts.push(`item ${step + 1}`)
    else parts.push(shape !== undefined && Object.hasOwn(shape, step) ? String(step) : 'one of its fields')
    current = current && childOf(current, step)
  }
  return parts.length === 0 ? '' : ` (in ${parts.join(', ')})`
}
