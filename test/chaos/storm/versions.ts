import { observablesOf, type Entity } from 'opencti-stream-connector'
import { openCtiPropertiesOf, type Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { printOf } from './target.ts'

/** What a record at the target had to be, from one event on. */
export interface Version {
  /** Undefined for what is older than the stream. */
  readonly position: string | undefined
  /** Tells what it is made from; undefined: it is gone. */
  readonly print: string | undefined
}

/** Which records an entity has at the target. */
export type RecordsOf = (entity: StixObject) => readonly string[]

/** One for the entity as a whole. */
export const wholeRecord: RecordsOf = (entity) => [openCtiPropertiesOf(entity).id]

/** One for each value that an entity names. */
export const valueRecords: RecordsOf = (entity) =>
  observablesOf(entity as unknown as Entity).observables.flatMap((each) =>
    'value' in each ? [`${openCtiPropertiesOf(entity).id} ${each.value}`] : [],
  )

/**
 * All that each record had to be, one version after the other, as the platform has told it.
 *
 * @param older what the platform held before its stream began.
 */
export function versionsOf(
  simulator: Simulator,
  older: readonly StixObject[],
  recordsOf: RecordsOf,
): ReadonlyMap<string, readonly Version[]> {
  const versions = new Map<string, Version[]>()
  const present = new Map<string, readonly string[]>()
  const add = (record: string, version: Version) => {
    const list = versions.get(record)
    if (list === undefined) versions.set(record, [version])
    else list.push(version)
  }
  const become = (object: StixObject, position: string | undefined, isGone: boolean) => {
    const { id } = openCtiPropertiesOf(object)
    const records = isGone ? [] : recordsOf(object)
    const print = printOf(object)
    for (const record of records) add(record, { position, print })
    for (const record of present.get(id) ?? [])
      if (!records.includes(record)) add(record, { position, print: undefined })
    present.set(id, records)
  }
  for (const object of older) become(object, undefined, false)
  for (const { id, type, data, envelope } of simulator.history) {
    become(data, id, type === 'delete')
    for (const source of envelope.context?.sources ?? []) become(source, id, true)
  }
  return versions
}
