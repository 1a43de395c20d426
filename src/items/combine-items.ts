import { tlpRankOfText } from '../stix/read/tlp.ts'

/** Combines two items with the same key into one. */
export type CombineItems = (one: unknown, other: unknown) => unknown

/** In dates with such a name, the earlier one wins; in all others, the later one. */
const earlierCounts = /^(?:valid|first|created|start)/i

/** From mildest to most severe. */
const severities = ['none', 'info', 'informational', 'low', 'medium', 'moderate', 'high', 'critical']

const isoDate = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?$/
const endingDate = /(?:until|to|end)$/i

/**
 * What the target should see of an item that several entities have: the strictest TLP, the highest number and
 * severity, the latest date (for `validFrom`, `firstSeen`, `created`, and `start` the earliest), `true` over
 * `false`, and everything contained in any of the lists. Of other texts, the last in alphabetical order wins,
 * so that the result does not depend on which entity came first.
 *
 * The order of combining does not matter, nor does repetition: `a`, `b`, and `a` again give the same result
 * as `b` and `a`.
 */
export function combineItems<Item>(one: Item, other: Item): Item {
  return join('', one, other) as Item
}

function join(name: string, one: unknown, other: unknown): unknown {
  const kind = kindOf(name, one)
  const order = kind - kindOf(name, other)
  if (order !== 0) return normal(order > 0 ? one : other)
  switch (kind) {
    case kinds.list:
      return union(one as unknown[], other as unknown[])
    case kinds.fields:
      return joinFields(one as Fields, other as Fields)
    default:
      return compare(kind, one, other) * (isEarliest(name, kind) ? -1 : 1) >= 0 ? one : other
  }
}

type Fields = Readonly<Record<string, unknown>>

/** Kinds of values. If two values differ in kind, the later kind wins. */
const kinds = {
  none: 0,
  flag: 1,
  text: 2,
  number: 3,
  date: 4,
  severity: 5,
  tlp: 6,
  list: 7,
  fields: 8,
} as const

type Kind = (typeof kinds)[keyof typeof kinds]

function kindOf(name: string, value: unknown): Kind {
  if (value === undefined || value === null) return kinds.none
  if (typeof value === 'boolean') return kinds.flag
  if (typeof value === 'number') return kinds.number
  if (Array.isArray(value)) return kinds.list
  if (typeof value === 'object') return kinds.fields
  const text = String(value)
  if (tlpRankOfText(text, /^tlp$/i.test(name)) !== undefined) return kinds.tlp
  if (isoDate.test(text) && !Number.isNaN(Date.parse(text))) return kinds.date
  return severities.includes(text.toLowerCase()) ? kinds.severity : kinds.text
}

/** Positive if `one` wins. */
function compare(kind: Kind, one: unknown, other: unknown): number {
  const byRank = rankOf(kind, one) - rankOf(kind, other)
  if (byRank !== 0) return byRank
  // Two spellings of the same value.
  return String(one) === String(other) ? 0 : String(one) > String(other) ? 1 : -1
}

function rankOf(kind: Kind, value: unknown): number {
  switch (kind) {
    case kinds.flag:
    case kinds.number:
      return Number(value)
    case kinds.date:
      return Date.parse(String(value))
    case kinds.severity:
      return severities.indexOf(String(value).toLowerCase())
    case kinds.tlp:
      return tlpRankOfText(String(value), true) ?? 0
    default:
      return 0
  }
}

function isEarliest(name: string, kind: Kind): boolean {
  return (kind === kinds.date || kind === kinds.number) && earlierCounts.test(name) && !endingDate.test(name)
}

function joinFields(one: Fields, other: Fields): Fields {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].toSorted()
  return Object.fromEntries(names.map((name) => [name, join(name, own(one, name), own(other, name))]))
}

/** Ignores what all objects inherit, such as `constructor`. */
function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

/** Everything in either list, once, ordered by its text. */
function union(one: readonly unknown[], other: readonly unknown[]): unknown[] {
  const byText = new Map([...one, ...other].map(normal).map((each) => [JSON.stringify(each), each]))
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each)
}

/** A value combined with itself: lists in order, and objects in order of their names. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return union(value, [])
  return typeof value === 'object' && value !== null ? joinFields(value as Fields, value as Fields) : value
}
