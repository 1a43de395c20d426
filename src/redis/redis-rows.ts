import {
  type DeadLetter,
  type EntityRecord,
  type ItemRecord,
  type NewDeadLetter,
} from '../store/state-store.ts'
import { firstOf, pairOf, secondOf } from './redis-keys.ts'

/** An entity as JSON; the letters save memory. */
interface StoredEntity {
  readonly s: string
  /** The target's id is its own: its STIX id (1) or its key (2). Others are not in the JSON. */
  readonly i?: 1 | 2 | undefined
  readonly r?: string | undefined
  readonly x?: number | undefined
  readonly p?: string | undefined
  readonly c?: number | undefined
  /** Number of the last reset before `p` and `c`; 0 if absent. */
  readonly e?: number | undefined
}

/**
 * The value of an entity.
 *
 * @param epoch number of resets so far. Positions from before the last one are not read anymore.
 */
export function rowOfEntity(entity: EntityRecord, epoch: number): string {
  const { key, stixId, externalId, position, caughtUpMs, expiresAtMs, route } = entity
  const isPlaced = position !== undefined || caughtUpMs !== undefined
  const ownId = externalId === stixId ? 1 : externalId === key ? 2 : undefined
  const stored: StoredEntity = {
    s: stixId,
    i: ownId,
    r: route,
    x: expiresAtMs,
    p: position,
    c: caughtUpMs,
    e: isPlaced && epoch > 0 ? epoch : undefined,
  }
  // An entity's own id belongs to no other, so nobody asks who has it.
  return rowOf(ownId === undefined ? externalId : undefined, JSON.stringify(stored))
}

/** @param epoch number of resets so far. */
export function entityOfRow(key: string, row: string, epoch: number): EntityRecord {
  const { externalId, rest } = parseRow(row)
  const { s, i, r, x, p, c, e = 0 } = JSON.parse(rest) as StoredEntity
  const id = i === 1 ? s : i === 2 ? key : externalId
  const isPlaced = e === epoch
  return {
    key,
    stixId: s,
    // Missing rather than undefined, so that all stores return the same.
    ...(id === undefined ? {} : { externalId: id }),
    ...(p === undefined || !isPlaced ? {} : { position: p }),
    ...(x === undefined ? {} : { expiresAtMs: x }),
    ...(r === undefined ? {} : { route: r }),
    ...(c === undefined || !isPlaced ? {} : { caughtUpMs: c }),
  }
}

export function rowOfItem({ externalId, item }: ItemRecord): string {
  return rowOf(externalId, item)
}

export function itemOfRow(key: string, row: string): ItemRecord {
  const { externalId, rest } = parseRow(row)
  return externalId === undefined ? { key, item: rest } : { key, externalId, item: rest }
}

/** What is indexed comes first, where a script finds it: `1` and a pair with the target's id, or `0`. */
function rowOf(externalId: string | undefined, rest: string): string {
  return externalId === undefined ? `0${rest}` : `1${pairOf(externalId, rest)}`
}

function parseRow(row: string): { readonly externalId: string | undefined; readonly rest: string } {
  const text = row.slice(1)
  return row.startsWith('0')
    ? { externalId: undefined, rest: text }
    : { externalId: firstOf(text), rest: secondOf(text) }
}

/** Fields of a dead letter; `data`, which can be megabytes, comes last. */
export const letterFields = [
  'eventType',
  'attempts',
  'firstAtMs',
  'lastAtMs',
  'error',
  'key',
  'route',
  'entityId',
  'entityType',
  'position',
  'replay',
  'outdatedBy',
  'data',
] as const

/** Names and values of the fields that are there. */
export function fieldsOfLetter(letter: NewDeadLetter): string[] {
  const fields: string[] = []
  for (const name of letterFields) {
    const value = name === 'replay' || name === 'outdatedBy' ? undefined : letter[name]
    if (value !== undefined) fields.push(name, String(value))
  }
  return fields
}

const numbers: ReadonlySet<string> = new Set(['attempts', 'firstAtMs', 'lastAtMs'])

/** @param values in the order of {@link letterFields}; may lack the last one. */
export function letterOfFields(id: number, values: readonly (string | null)[]): DeadLetter {
  const letter: Record<string, unknown> = { id, data: '' }
  for (const [index, name] of letterFields.entries()) {
    const value = values[index] ?? undefined
    if (value !== undefined) letter[name] = numbers.has(name) ? Number(value) : value
  }
  return letter as unknown as DeadLetter
}
