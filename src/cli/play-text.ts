import { type EventCounts } from '../events/event-counters.ts'
import { octiTypeOf } from '../stix/read/entity-ids.ts'
import { nameOf } from '../stix/read/entity-name.ts'
import { entityTitle } from './entity-title.ts'
import { type PlannedOperation } from './dry-run.ts'
import { cell, printable } from './output.ts'
import { type Paint } from './paint.ts'
import { cutTo, widthOf } from './text-width.ts'
import { parsedJson } from '../util/json-text.ts'

const looks = { create: 'green', update: 'yellow', delete: 'red' } as const

/** Formats a planned operation as a line: operation, type, name, and as much of the item as fits. */
export function plannedLine(
  { operation, item, context }: PlannedOperation,
  paint: Paint,
  clean: (text: string) => string,
  columns: number = Number.POSITIVE_INFINITY,
): string {
  const { entity, reason, route } = context
  const type = cell(octiTypeOf(entity) ?? entity.type, 18)
  const room = Math.max(10, columns - 28)
  const name = entityTitle(entity, Math.min(room, 40))
  const aside =
    operation === 'delete'
      ? ` (${reason ?? 'deleted'})`
      : item === undefined
        ? ''
        : ` → ${printable(clean(jsonOf(item)))}`
  const by = route === undefined ? '' : ` [${route}]`
  const left = room - widthOf(name) - by.length
  return [
    paint(looks[operation], operation.padEnd(8)),
    `${type}  `,
    name,
    by,
    left < 4 ? '' : paint('dim', cutTo(aside, left)),
  ].join('')
}

/** A planned operation as an object for JSON. */
export function plannedJson(
  { operation, item, context }: PlannedOperation,
  clean: (text: string) => string,
): unknown {
  const { entity, entityId, internalId, externalId, position, reason, route } = context
  const name = nameOf(entity)
  const facts = {
    operation,
    position,
    entityId,
    internalId,
    type: entity.type,
    name,
    externalId,
    route,
    reason,
    item,
  }
  // Redacting a secret that is a number breaks the JSON.
  return parsedJson(clean(jsonOf(facts))) ?? { operation, position, type: entity.type }
}

/** Formats the counters in a few lines. */
export function countersText(counters: EventCounts, corruptLines: number, paint: Paint): string {
  const { received, delivered, skipped, deadLettered, inFlight } = counters
  const rows: (readonly [name: string, count: number, aside?: string])[] = [
    ['received', received],
    ['delivered', delivered],
    ['skipped', skipped, reasonsText(counters.skippedByReason)],
    ['dead-lettered', deadLettered],
  ]
  if (inFlight > 0) rows.push(['not finished', inFlight])
  if (corruptLines > 0) rows.push(['corrupt lines', corruptLines])
  return rows
    .map(([name, count, aside = '']) => {
      const isBad =
        count > 0 && (name === 'dead-lettered' || name === 'corrupt lines' || name === 'not finished')
      const line = `${name.padEnd(14)}${String(count).padStart(8)}`
      return (isBad ? paint('red', line) : line) + (aside === '' ? '' : `  ${paint('dim', printable(aside))}`)
    })
    .join('\n')
}

function reasonsText(reasons: Readonly<Record<string, number>>): string {
  return Object.entries(reasons)
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ')
}

/** JSON of whatever an author's `transform` returns. */
function jsonOf(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_, inner: unknown) => {
        if (typeof inner === 'bigint') return inner.toString()
        if (inner instanceof Map) return Object.fromEntries(inner)
        return inner instanceof Set ? [...(inner as Set<unknown>)] : inner
      }) ?? 'null'
    )
  } catch {
    return '"[an item JSON cannot represent]"'
  }
}
