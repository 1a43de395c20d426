import { type z } from 'zod'
import { definitionOf, innerOf } from '../schemas/inner-schema.ts'
import { isSecretSchema } from '../../util/secret.ts'
import { notesOf } from '../schemas/setting-notes.ts'

const formats: Readonly<Record<string, string>> = {
  url: 'a URL',
  email: 'an e-mail address',
  uuid: 'a UUID',
  guid: 'a UUID',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  cidrv4: 'an IPv4 range',
  cidrv6: 'an IPv6 range',
  datetime: 'an ISO date and time, such as 2026-01-31T12:00:00Z',
  date: 'an ISO date, such as 2026-01-31',
  time: 'an ISO time, such as 12:00:00',
  duration: 'an ISO duration, such as PT5M',
  base64: 'base64 text',
  jwt: 'a JSON web token',
}

/** Describes what a setting must be, to follow "must be": `a whole number, 1–1024`, `true or false`. */
export function expectedOf(schema: z.core.$ZodType): string {
  const { expected } = notesOf(schema)
  if (expected !== undefined) return expected
  if (isSecretSchema(schema)) return 'a secret'
  const inner = innerOf(schema)
  if (inner !== undefined) return expectedOf(inner)
  const def = definitionOf(schema)
  switch (def.type) {
    case 'string':
      return ('format' in def && formats[String(def.format)]) || 'text'
    case 'number':
    case 'bigint':
      return expectedNumber(schema)
    case 'boolean':
      return 'true or false'
    case 'date':
      return 'an ISO date'
    case 'enum':
      return oneOf(Object.values(def.entries))
    case 'literal':
      return oneOf(def.values)
    case 'array':
    case 'set':
    case 'tuple':
      return 'a comma-separated list'
    case 'object':
    case 'record':
    case 'map':
    case 'intersection':
      return 'a JSON object'
    case 'union':
      return [...new Set(def.options.map(expectedOf))].join(' or ')
    case 'pipe':
      return expectedOf(def.out)
    default:
      return 'a valid value'
  }
}

function expectedNumber(schema: z.core.$ZodType): string {
  // Number schemas of zod/mini do not expose their bounds.
  const { isInt, minValue, maxValue } = schema as { isInt?: boolean; minValue?: unknown; maxValue?: unknown }
  const isWhole = definitionOf(schema).type === 'bigint' || isInt === true
  const kind = isWhole ? 'a whole number' : 'a number'
  const least = bound(minValue)
  const greatest = bound(maxValue)
  if (least !== undefined && greatest !== undefined) return `${kind} from ${least} to ${greatest}`
  if (least !== undefined) return `${kind}, at least ${least}`
  return greatest === undefined ? kind : `${kind}, at most ${greatest}`
}

/** A bound the author set; zod adds the safe integer bounds on its own. */
function bound(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value)
  return typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? String(value) : undefined
}

function oneOf(values: readonly unknown[]): string {
  const texts = values.map(String)
  return texts.length === 1 ? texts[0]! : `one of ${texts.join(', ')}`
}
