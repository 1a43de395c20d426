import { entityKeyOfLane, laneOf } from '../events/routes.ts'
import { parsePosition } from '../util/position.ts'
import { type EntityRecord } from '../store/state-store.ts'

const texts = ['key', 'route', 'stixId', 'externalId', 'position'] as const
const numbers = ['expiresAtMs', 'caughtUpMs'] as const
const known: ReadonlySet<string> = new Set([...texts, ...numbers])

/** A line of an exported id map: JSON with the fields of {@link EntityRecord}, always in the same order. */
export function idMapLine(record: EntityRecord): string {
  const { key, route, stixId, externalId, position, expiresAtMs, caughtUpMs } = record
  return JSON.stringify({ key, route, stixId, externalId, position, expiresAtMs, caughtUpMs })
}

/** What is wrong with a line, for people. Repeats nothing from the line except field names. */
export interface LineProblem {
  readonly problem: string
}

/** Parses a line. */
export function readIdMapLine(line: string): EntityRecord | LineProblem {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return { problem: 'is not valid JSON' }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { problem: 'is not a JSON object' }
  }
  const fields = parsed as Readonly<Record<string, unknown>>
  const unknown = Object.keys(fields).find((name) => !known.has(name))
  if (unknown !== undefined) {
    return {
      problem: `has an unknown field: ${unknown.slice(0, 40)}. Known fields are ${[...known].join(', ')}`,
    }
  }
  for (const name of texts) {
    const value = fields[name]
    if (value !== undefined && value !== null && typeof value !== 'string' && !isWhole(value)) {
      return { problem: `has ${name === 'externalId' ? 'an' : 'a'} ${name} that is not a text` }
    }
  }
  for (const name of numbers) {
    const value = fields[name]
    if (value !== undefined && value !== null && !isWhole(value)) {
      return { problem: `has an ${name} that is not a number of milliseconds since 1970` }
    }
  }
  const { expiresAtMs, caughtUpMs } = fields
  const text = (name: (typeof texts)[number]) => {
    const value = fields[name]
    return value === undefined || value === null ? undefined : String(value)
  }
  const [given, named, stixId, externalId, position] = texts.map(text)
  const route = named === '' ? undefined : named
  const key = given === undefined ? undefined : keyAtRoute(given, route)
  if (typeof key === 'object') return key
  if ((given ?? stixId ?? '') === '' || stixId === '') {
    return { problem: 'names no entity: it must have a key (the internal id of OpenCTI), a stixId, or both' }
  }
  if (position !== undefined && parsePosition(position) === undefined) {
    return { problem: 'has an invalid position: it must be <ms>-<seq>' }
  }
  return {
    key: key ?? laneOf(stixId!, route),
    ...(route === undefined ? {} : { route }),
    stixId: stixId ?? entityKeyOfLane(key!, route),
    ...(externalId === undefined ? {} : { externalId }),
    ...(position === undefined ? {} : { position }),
    ...(isWhole(expiresAtMs) ? { expiresAtMs } : {}),
    ...(isWhole(caughtUpMs) ? { caughtUpMs } : {}),
  }
}

/** A key includes its route name; a hand-written map may omit it. */
function keyAtRoute(key: string, route: string | undefined): string | LineProblem {
  if (route === undefined || key === laneOf(entityKeyOfLane(key, route), route)) return key
  if (!key.includes('@')) return laneOf(key, route)
  return { problem: 'has a key of another route: it must be <internal id>@<route>, or the internal id alone' }
}

/** Whether an entity is only known by its STIX id. */
export function isNamedByStixId({ key, stixId, route }: EntityRecord): boolean {
  return key === laneOf(stixId, route) && stixId.includes('--')
}

export function isLineProblem(read: EntityRecord | LineProblem): read is LineProblem {
  return 'problem' in read
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
