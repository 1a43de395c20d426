import { type z } from 'zod'
import { booleanOfText } from '../schemas/boolean-text.ts'
import { definitionOf, innerOf } from '../schemas/inner-schema.ts'
import { millisecondsOfIsoDate } from '../../util/iso-date.ts'
import { entriesOf } from '../sources/entries-of.ts'
import { isMissing, itemsOf, objectOf, plainOf, textOf } from '../sources/raw-value.ts'
import { settingNotes } from '../schemas/setting-notes.ts'
import { withoutEnd } from '../../util/without-end.ts'

/** A number as operators write it. */
export const numberText = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/

/**
 * Converts operator input to what `schema` accepts, guided by the schema: `"8"` becomes 8 for a number, `a,b`
 * a list for an array, JSON or YAML text an object for an object. Input that does not fit is returned almost
 * unchanged for the schema to reject.
 */
export function convert(schema: z.core.$ZodType, raw: unknown): unknown {
  const text = textOf(raw)
  const fromText = settingNotes.get(schema)?.fromText
  if (fromText !== undefined && text !== undefined) return fromText(text.trim())
  const inner = innerOf(schema)
  if (inner !== undefined) return convert(inner, raw)
  return convertContainer(schema, raw) ?? (text === undefined ? plainOf(raw) : convertText(schema, text, raw))
}

/** Handles schemas that contain others. Returns `undefined` for other schemas, or if `raw` does not fit. */
function convertContainer(schema: z.core.$ZodType, raw: unknown): unknown {
  const def = definitionOf(schema)
  switch (def.type) {
    case 'array':
      return itemsOf(raw)?.map((item) => convert(def.element, item))
    case 'set': {
      const items = itemsOf(raw)
      return items && new Set(items.map((item) => convert(def.valueType, item)))
    }
    case 'tuple':
      return itemsOf(raw)?.map((item, index) => {
        const member = def.items[index] ?? def.rest
        return member ? convert(member, item) : plainOf(item)
      })
    case 'object':
      return convertEntries(raw, (key) => (Object.hasOwn(def.shape, key) ? def.shape[key] : def.catchall))
    case 'record':
      return convertEntries(raw, () => def.valueType)
    case 'map': {
      const entries = entriesOf(raw)
      return (
        entries &&
        new Map(entries.map(([key, item]) => [convert(def.keyType, key), convert(def.valueType, item)]))
      )
    }
    case 'intersection':
      return convert(def.right, convert(def.left, raw))
    case 'union':
      return convertUnion(def.options, raw)
    default:
      return undefined
  }
}

function convertEntries(raw: unknown, schemaOf: (key: string) => z.core.$ZodType | undefined): unknown {
  const entries = entriesOf(raw)?.filter(([, item]) => !isMissing(item))
  return (
    entries &&
    objectOf(
      entries.map(([key, item]) => {
        const schema = schemaOf(key)
        return [key, schema === undefined ? plainOf(item) : convert(schema, item)]
      }),
    )
  )
}

/** Converts with the first union member that accepts the result. */
function convertUnion(options: readonly z.core.$ZodType[], raw: unknown): unknown {
  for (const option of options) {
    const candidate = convert(option, raw)
    try {
      if ((option as z.ZodType).safeParse(candidate).success) return candidate
    } catch {
      // A transform that throws rejects the value, too.
    }
  }
  const entries = typeof raw === 'string' ? entriesOf(raw) : undefined
  return entries === undefined ? plainOf(raw) : objectOf(entries)
}

/** Handles schemas of a single value. */
function convertText(schema: z.core.$ZodType, text: string, raw: unknown): unknown {
  const def = definitionOf(schema)
  const word = text.trim()
  switch (def.type) {
    case 'string':
      // Files written on Windows, or mounted as secrets, often end with a line break.
      return 'format' in def ? word : withoutEnd(text, '\r\n')
    case 'template_literal':
      return word
    case 'number':
      return numberText.test(word) ? Number(word) : word
    case 'bigint':
      return /^[+-]?\d+$/.test(word) ? BigInt(word) : word
    case 'boolean':
      return booleanOfText(word) ?? word
    case 'date': {
      const milliseconds = /^\d{13}$/.test(word) ? Number(word) : millisecondsOfIsoDate(word)
      return milliseconds === undefined ? word : new Date(milliseconds)
    }
    case 'literal':
      return pick(def.values, word)
    case 'enum':
      return pick(Object.values(def.entries), word)
    default:
      return plainOf(raw)
  }
}

/** The value `word` spells: exactly, ignoring case, or as a boolean. */
function pick(values: readonly unknown[], word: string): unknown {
  const lower = word.toLowerCase()
  const exact = values.find((value) => String(value) === word)
  const similar = values.filter((value) => String(value).toLowerCase() === lower)
  if (exact !== undefined) return exact
  if (similar.length === 1) return similar[0]
  const spelled = booleanOfText(word)
  return spelled !== undefined && values.includes(spelled) ? spelled : word
}
