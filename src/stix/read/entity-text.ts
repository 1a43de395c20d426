import { type Entity } from '../types/entity.ts'
import { observableFieldsOf, openCtiFieldsOf } from '../types/entity-extensions.ts'
import { type ExternalReference, type KillChainStep } from '../types/entity-base.ts'
import { type Fields, fieldsOf, listOf, textOf } from '../types/json-value.ts'

const nothing: readonly never[] = Object.freeze([])

/**
 * Labels as text; empty if there are none. Found at the top level of domain objects, relationships, and
 * OpenCTI-only observables, and in the observable extension of standard observables (OpenCTI platform,
 * database/stix-2-1-converter.ts). Also reads the specification's `[{ value }]`. May return the original
 * list: do not modify it.
 *
 * @example
 * ```ts
 * import { labelsOf, type Entity } from 'opencti-stream-connector'
 *
 * const isBotnet = (entity: Entity) => labelsOf(entity).includes('botnet')
 * ```
 */
export function labelsOf(entity: Entity): readonly string[] {
  const fields = fieldsOf(entity)
  const labels = listOf(fields['labels']) ?? listOf(observableFieldsOf(fields)['labels'])
  if (labels === undefined || labels.length === 0) return nothing
  return allNonEmptyText(labels) ? labels : labels.flatMap(labelTexts)
}

function labelTexts(label: unknown): string | readonly string[] {
  return textOf(label) ?? textOf(fieldsOf(label)['value']) ?? nothing
}

/**
 * Description of an entity; undefined if there is none. For standard observables it is in the observable
 * extension (OpenCTI platform, database/stix-2-1-converter.ts). For a note this is `content`, for an opinion
 * `explanation`.
 *
 * @example
 * ```ts
 * import { descriptionOf, type Entity } from 'opencti-stream-connector'
 *
 * const note = (entity: Entity) => descriptionOf(entity) ?? 'No description'
 * ```
 */
export function descriptionOf(entity: Entity): string | undefined {
  const fields = fieldsOf(entity)
  const written =
    textOf(fields['description']) ??
    textOf(observableFieldsOf(fields)['description']) ??
    textOf(fields['x_opencti_description'])
  if (written !== undefined) return written
  if (fields['type'] === 'note') return textOf(fields['content'])
  return fields['type'] === 'opinion' ? textOf(fields['explanation']) : undefined
}

/**
 * STIX id of the author (an identity); undefined if there is none or the user may not see it. At the top
 * level, or in the observable extension of standard observables (OpenCTI platform,
 * database/stix-2-1-converter.ts). Versions before 5.1 sent it as an object with a `value`.
 *
 * @example
 * ```ts
 * import { createdByOf, type Entity } from 'opencti-stream-connector'
 *
 * const isFrom = (entity: Entity, authorId: string) => createdByOf(entity) === authorId
 * ```
 */
export function createdByOf(entity: Entity): string | undefined {
  const fields = fieldsOf(entity)
  return (
    textOf(fields['created_by_ref']) ??
    textOf(fieldsOf(fields['created_by_ref'])['value']) ??
    textOf(observableFieldsOf(fields)['created_by_ref']) ??
    textOf(fieldsOf(fields['createdBy'])['standard_id'])
  )
}

/**
 * References to sources outside the platform: reports, tickets, feeds. At the top level, or in the observable
 * extension of standard observables (OpenCTI platform, database/stix-2-1-converter.ts).
 *
 * @example
 * ```ts
 * import { externalReferencesOf, type Entity } from 'opencti-stream-connector'
 *
 * const urlsOf = (entity: Entity) => externalReferencesOf(entity).flatMap(({ url }) => url ?? [])
 * ```
 */
export function externalReferencesOf(entity: Entity): readonly ExternalReference[] {
  const fields = fieldsOf(entity)
  const list =
    listOf(fields['external_references']) ?? listOf(observableFieldsOf(fields)['external_references'])
  return objectsOf(list, isReference) as readonly ExternalReference[]
}

/**
 * Kill chain phases of an entity. At the top level, or in the OpenCTI extension of relationships (OpenCTI
 * platform, database/stix-2-1-converter.ts, `convertRelationToStix`).
 *
 * @example
 * ```ts
 * import { killChainOf, type Entity } from 'opencti-stream-connector'
 *
 * const phasesOf = (entity: Entity) => killChainOf(entity).map(({ phase_name }) => phase_name)
 * ```
 */
export function killChainOf(entity: Entity): readonly KillChainStep[] {
  const fields = fieldsOf(entity)
  const list = listOf(fields['kill_chain_phases']) ?? listOf(openCtiFieldsOf(fields)['kill_chain_phases'])
  return objectsOf(list, isStep) as readonly unknown[] as readonly KillChainStep[]
}

const isReference = (fields: Fields) =>
  textOf(fields['source_name']) !== undefined || textOf(fields['url']) !== undefined

const isStep = (fields: Fields) =>
  textOf(fields['kill_chain_name']) !== undefined && textOf(fields['phase_name']) !== undefined

/** The list itself if every item qualifies, otherwise the items that do. */
function objectsOf(
  list: readonly unknown[] | undefined,
  willDo: (fields: Fields) => boolean,
): readonly Fields[] {
  if (list === undefined || list.length === 0) return nothing
  const fits = (item: unknown): item is Fields => willDo(fieldsOf(item))
  return list.every(fits) ? list : list.filter(fits)
}

function allNonEmptyText(list: readonly unknown[]): list is readonly string[] {
  for (const item of list) if (typeof item !== 'string' || item === '') return false
  return true
}
