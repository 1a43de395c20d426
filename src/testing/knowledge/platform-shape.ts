import { mitreExtension, observableExtension, openCtiExtension } from '../../stix/types/extensions.ts'
import {
  extensionTypeOf,
  isObservable,
  isOpenCtiObservable,
  isStandardObservable,
  openCtiTypeOf,
  representativeOf,
} from './entity-types.ts'
import { patternObservables } from './pattern-observables.ts'
import { extensionOf, placeProperty } from './property-placement.ts'
import { internalIdFrom, standardIdOf } from './standard-id.ts'
import { openCtiPropertiesOf, textsOf, type StixExtension, type StixObject } from './stix-object.ts'

/**
 * An object to pass to the simulator. Only `type` is required. `x_opencti_…` properties move to the
 * extensions.
 */
export interface StixInput {
  type: string
  id?: string | undefined
  [property: string]: unknown
}

/** What the platform knows while it stores an object. */
export interface PlatformContext {
  /** Wall time in milliseconds. */
  readonly nowMs: number
  /** OpenCTI id of the user who writes. */
  readonly creatorId: string
  /** Finds a stored object by STIX id. */
  readonly find: (id: string) => StixObject | undefined
  /**
   * Whether this version writes the extension field added in 7.x, `created_by_ref_type`.
   * @default false
   */
  readonly isSeven?: boolean | undefined
}

/**
 * Types without the versioning properties of domain objects: created, modified, revoked, confidence, lang.
 */
const withoutVersioning = new Set(['label', 'kill-chain-phase', 'external-reference'])

/**
 * Converts any STIX 2.1 object to what the platform stores and streams: standard id, OpenCTI extension with a
 * deterministic id, defaults, and properties in their proper place (OpenCTI platform,
 * database/stix-2-1-converter.ts).
 */
export function toPlatformShape(input: StixInput, context: PlatformContext): StixObject {
  // Frozen objects, such as the builders' results, can be shared.
  const copy = Object.isFrozen(input) ? input : structuredClone(input)
  const draft: StixObject = { id: '', spec_version: '2.1', type: copy.type, extensions: {} }
  draft.id =
    copy.id ?? standardIdOf(copy as StixObject) ?? `${copy.type}--${internalIdFrom(JSON.stringify(copy))}`
  const platform = extensionOf(draft, openCtiExtension)
  platform['extension_type'] = extensionTypeOf(draft.type)
  const nowIso = new Date(context.nowMs).toISOString()
  platform['id'] = internalIdFrom(draft.id)
  platform['type'] = openCtiTypeOf(copy as StixObject)
  platform['created_at'] = nowIso
  platform['updated_at'] = nowIso
  platform['is_inferred'] = false
  platform['creator_ids'] = [context.creatorId]
  if (isStandardObservable(draft.type)) extensionOf(draft, observableExtension)
  if (isOpenCtiObservable(draft.type)) extensionOf(draft, observableExtension)['extension_type'] = 'new-sco'
  if (!isObservable(draft.type)) addVersioning(draft, copy, nowIso)
  for (const [property, value] of Object.entries(copy)) {
    if (property !== 'id' && property !== 'type' && property !== 'spec_version')
      placeProperty(draft, property, value)
  }
  addTypeDefaults(draft, platform, nowIso)
  linkReferences(draft, context)
  return draft
}

/** Recomputes derived properties after a change. */
export function linkReferences(
  draft: StixObject,
  { find, isSeven = false }: Pick<PlatformContext, 'find' | 'isSeven'>,
): void {
  const platform = openCtiPropertiesOf(draft) as StixExtension
  const own = draft.extensions?.[observableExtension]
  const labels = textsOf(draft['labels'] ?? own?.['labels'])
  set(platform, 'labels_ids', labels.length === 0 ? undefined : labels.map((label) => labelIdOf(label)))
  const authorRef = (draft['created_by_ref'] ?? own?.['created_by_ref']) as string | undefined
  if (authorRef !== undefined) {
    const author = find(authorRef)
    set(platform, 'created_by_ref_id', internalIdOf(authorRef, find))
    if (isSeven) set(platform, 'created_by_ref_type', author && openCtiPropertiesOf(author).type)
  }
  if (draft.type === 'relationship') {
    linkEnd(platform, 'source', draft['source_ref'] as string, find)
    linkEnd(platform, 'target', draft['target_ref'] as string, find)
  } else if (draft.type === 'sighting') {
    linkSighting(draft, platform, find)
  }
}

/** Lists the observables of an indicator's pattern in its extension. */
export function deriveObservables(draft: StixObject, platform: StixExtension): void {
  const observables = draft['pattern_type'] === 'stix' ? patternObservables(String(draft['pattern'])) : []
  set(platform, 'observable_values', observables.length === 0 ? undefined : observables)
  if (observables.length > 0) platform['main_observable_type'] = observables[0]!.type
  else platform['main_observable_type'] ??= 'Unknown'
}

function addVersioning(draft: StixObject, input: StixInput, nowIso: string): void {
  if (withoutVersioning.has(draft.type)) return
  draft['created'] = input['created'] ?? nowIso
  draft['modified'] = input['modified'] ?? nowIso
  if (draft.type === 'marking-definition') return
  draft['revoked'] = false
  draft['confidence'] = 100
  draft['lang'] = 'en'
}

function addTypeDefaults(draft: StixObject, platform: StixExtension, nowIso: string): void {
  if (draft.type === 'indicator') {
    draft['pattern_type'] ??= 'stix'
    draft['name'] ??= draft['pattern']
    draft['valid_from'] ??= draft['created'] ?? nowIso
    platform['detection'] ??= false
    platform['score'] ??= 50
    if (platform['observable_values'] === undefined) deriveObservables(draft, platform)
    extensionOf(draft, mitreExtension)
  } else if (draft.type === 'attack-pattern') {
    const technique = (
      draft['external_references'] as { source_name?: string; external_id?: string }[] | undefined
    )?.find(({ source_name: source }) => source?.startsWith('mitre-'))
    const mitre = extensionOf(draft, mitreExtension)
    if (technique?.external_id !== undefined) mitre['id'] ??= technique.external_id
  } else if (draft.type === 'sighting') {
    draft['count'] ??= 1
    platform['negative'] ??= false
  }
}

function linkEnd(
  platform: StixExtension,
  end: 'source' | 'target',
  ref: string,
  find: PlatformContext['find'],
): void {
  const object = find(ref)
  set(platform, `${end}_value`, object && representativeOf(object))
  platform[`${end}_ref`] = internalIdOf(ref, find)
  set(platform, `${end}_type`, object && openCtiPropertiesOf(object).type)
  set(platform, `${end}_ref_object_marking_refs`, markingIdsOf(object, find))
}

function linkSighting(draft: StixObject, platform: StixExtension, find: PlatformContext['find']): void {
  const seen = draft['sighting_of_ref'] as string
  const seenObject = find(seen)
  set(platform, 'sighting_of_value', seenObject && representativeOf(seenObject))
  platform['sighting_of_ref'] = internalIdOf(seen, find)
  set(platform, 'sighting_of_type', seenObject && openCtiPropertiesOf(seenObject).type)
  set(platform, 'sighting_of_ref_object_marking_refs', markingIdsOf(seenObject, find))
  const places = textsOf(draft['where_sighted_refs'])
  const objects = places.map((ref) => find(ref)).filter((object) => object !== undefined)
  set(platform, 'where_sighted_values', nonEmpty(objects.map((object) => representativeOf(object))))
  platform['where_sighted_refs'] = places.map((ref) => internalIdOf(ref, find))
  set(platform, 'where_sighted_types', nonEmpty(objects.map((object) => openCtiPropertiesOf(object).type)))
}

function markingIdsOf(object: StixObject | undefined, find: PlatformContext['find']): string[] | undefined {
  return nonEmpty(textsOf(object?.['object_marking_refs']).map((ref) => internalIdOf(ref, find)))
}

function nonEmpty(items: string[]): string[] | undefined {
  return items.length === 0 ? undefined : items
}

function internalIdOf(ref: string, find: PlatformContext['find']): string {
  const object = find(ref)
  return object === undefined ? internalIdFrom(ref) : openCtiPropertiesOf(object).id
}

function labelIdOf(label: string): string {
  return internalIdFrom(standardIdOf({ id: '', type: 'label', value: label })!)
}

function set(target: StixExtension, name: string, value: unknown): void {
  if (value === undefined) delete target[name]
  else target[name] = value
}
