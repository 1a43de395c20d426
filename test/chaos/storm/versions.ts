import { observablesOf, type Entity } from 'opencti-stream-connector'
import { openCtiPropertiesOf, type Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { type ClaimedValue, printOf } from './target.ts'

/** The required state of a record from one event on. */
export interface Version {
  /** Undefined for objects older than the stream. */
  readonly position: string | undefined
  /** Fingerprint of its source; undefined if it is gone. */
  readonly print: string | undefined
}

/** A record that the target should have, with its content. */
export interface ExpectedRecord {
  readonly record: string
  readonly entity: object
}

/** One for each entity. */
export function wholeEntities(simulator: Simulator): ExpectedRecord[] {
  return simulator.entities().map((entity) => ({ record: openCtiPropertiesOf(entity).id, entity }))
}

/** One for each value that entities name, with all of those entities. */
export function claimedValues(simulator: Simulator): ExpectedRecord[] {
  const claims = new Map<string, string[]>()
  for (const entity of simulator.entities()) {
    const claim = `${openCtiPropertiesOf(entity).id} ${printOf(entity)}`
    for (const each of observablesOf(entity as unknown as Entity).observables) {
      if ('value' in each) claims.set(each.value, [...(claims.get(each.value) ?? []), claim])
    }
  }
  return [...claims].map(([key, all]) => {
    const value: ClaimedValue = { claims: all.toSorted(), key }
    return { record: key, entity: value }
  })
}

/**
 * All that each record had to be, one version after the other, as the platform has told it.
 *
 * @param older what the platform held before its stream began.
 */
export function versionsOf(
  simulator: Simulator,
  older: readonly StixObject[],
): ReadonlyMap<string, readonly Version[]> {
  const versions = new Map<string, Version[]>()
  const add = (record: string, version: Version) => {
    const list = versions.get(record)
    if (list === undefined) versions.set(record, [version])
    else list.push(version)
  }
  const become = (object: StixObject, position: string | undefined, isGone: boolean) => {
    add(openCtiPropertiesOf(object).id, { position, print: isGone ? undefined : printOf(object) })
  }
  for (const object of older) become(object, undefined, false)
  for (const { id, type, data, envelope } of simulator.history) {
    become(data, id, type === 'delete')
    for (const source of envelope.context?.sources ?? []) become(source, id, true)
  }
  return versions
}
