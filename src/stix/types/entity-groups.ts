import { type Entity } from './entity.ts'
import { openCtiFieldsOf } from './entity-extensions.ts'
import { observableExtension } from './extensions.ts'
import { fieldsOf } from './json-value.ts'
import {
  kindOfOpenCtiType,
  kindOfStixType,
  observableTypes,
  withoutLegacyPrefix,
} from './observable-kinds.ts'

const objects = ['stix-core-object', 'stix-object', 'basic-object']
const domainObjects = ['domain-object', 'stix-domain-object', ...objects]
const containers = ['container', ...domainObjects]
const cases = ['case', ...containers]
const observables = ['observable', 'stix-cyber-observable', ...objects]
const hashedObservables = ['hashed-observable', ...observables]
const metaObjects = ['meta-object', 'stix-meta-object', 'stix-object', 'basic-object']
const sightings = ['relationship', 'stix-sighting-relationship', 'stix-relationship', 'basic-relationship']
const relationships = ['relationship', 'stix-core-relationship', 'stix-relationship', 'basic-relationship']

/** Groups by STIX type, for types other than plain domain objects and observables. */
const groupsByType: ReadonlyMap<string, readonly string[]> = new Map([
  ...['report', 'note', 'opinion', 'observed-data', 'grouping', 'task'].map(
    (type) => [type, containers] as const,
  ),
  ...['case-incident', 'case-rfi', 'case-rft', 'feedback'].map((type) => [type, cases] as const),
  ...['marking-definition', 'label', 'kill-chain-phase', 'external-reference'].map(
    (type) => [type, metaObjects] as const,
  ),
  ...['file', 'artifact', 'x509-certificate'].map((type) => [type, hashedObservables] as const),
  ['relationship', relationships],
  ['sighting', sightings],
])

/** OpenCTI's domain object types by STIX type, where the names differ. */
const typesByStixType = {
  identity: ['individual', 'organization', 'sector', 'system', 'securityplatform'],
  location: ['administrative-area', 'city', 'country', 'position', 'region'],
  'threat-actor': ['threat-actor-group', 'threat-actor-individual'],
}

const plainDomainTypes = (
  'attack-pattern campaign channel course-of-action data-component data-source event incident indicator ' +
  'infrastructure intrusion-set language malware malware-analysis narrative security-coverage tool vulnerability'
).split(' ')

const relationshipTypes = (
  'amplifies analysis-of attributed-to authored-by based-on beacons-to belongs-to characterizes citizen-of ' +
  'communicates-with compromises consists-of controls cooperates-with delivers demonstrates derived-from detects ' +
  'downloads drops duplicate-of dynamic-analysis-of employed-by exfiltrates-to exploits has has-covered hosts ' +
  'impersonates indicates investigates known-as located-at mitigates national-of originates-from owns part-of ' +
  'participates-in publishes related-to remediates reports-to resides-in resolves-to revoked-by should-cover ' +
  'static-analysis-of subnarrative-of subtechnique-of supports targets uses variant-of'
).split(' ')

/** Lowercase names that match each kind of entity: OpenCTI type, STIX type, and groups. */
const namesByKind: readonly ReadonlySet<string>[] = [
  ...[...groupsByType].map(([type, groups]) => new Set([type, ...groups])),
  ...plainDomainTypes.map((type) => new Set([type, ...domainObjects])),
  ...Object.entries(typesByStixType).flatMap(([stixType, types]) =>
    types.map((type) => new Set([type, stixType, ...domainObjects])),
  ),
  ...observableTypes.map((type) => {
    const name = type.toLowerCase()
    const stixType = name === 'stixfile' ? 'file' : name
    return new Set([name, stixType, ...(groupsByType.get(stixType) ?? observables)])
  }),
  new Set(['email-mime-part-type', ...observables]),
  ...relationshipTypes.map((type) => new Set([type, ...relationships])),
]

const known: ReadonlySet<string> = new Set(namesByKind.flatMap((names) => [...names]))

/** All known type and group names, in lowercase. */
export const knownTypeNames: readonly string[] = [...known]

/** Whether this is a known type or group name, ignoring case. */
export function isKnownTypeName(name: string): boolean {
  return known.has(typeNameOf(name))
}

/** Normalizes a type or group name for comparison: lowercase, and current instead of legacy. */
export function typeNameOf(name: string): string {
  return withoutLegacyPrefix(name.trim().toLowerCase())
}

/** Whether an entity can match one of `some` and one of `others`, as far as the names are known. */
export function canOverlap(some: readonly string[], others: readonly string[]): boolean {
  const [first, second] = [some.map(typeNameOf), others.map(typeNameOf)]
  const isUnknown = (name: string) => !known.has(name)
  if (first.some(isUnknown) || second.some(isUnknown)) return true
  return namesByKind.some(
    (names) => first.some((name) => names.has(name)) && second.some((name) => names.has(name)),
  )
}

/**
 * Groups of an entity, in lowercase: OpenCTI's filter names of parent types (OpenCTI platform,
 * schema/general.js, `ABSTRACT_TYPES`), and ours. An unknown type is an observable if the document says so,
 * or if it has no `created`, which only observables lack.
 */
export function groupsOf(entity: Entity): readonly string[] {
  const type = withoutLegacyPrefix(entity.type)
  const groups = groupsByType.get(type)
  if (groups !== undefined) return groups
  if (type.startsWith('case-')) return cases
  return isObservable(entity) ? observables : domainObjects
}

const domainTypes: ReadonlySet<string> = new Set([...plainDomainTypes, ...Object.keys(typesByStixType)])

/** Whether an entity can be observed on a system or network. */
export function isObservable(entity: Entity): boolean {
  const fields = fieldsOf(entity)
  const type = withoutLegacyPrefix(typeof fields['type'] === 'string' ? fields['type'] : '')
  if (kindOfStixType(type) !== undefined || type === 'email-mime-part-type') return true
  if (domainTypes.has(type) || groupsByType.has(type) || type === '') return false
  const openCti = openCtiFieldsOf(fields)
  if (Object.hasOwn(fieldsOf(fields['extensions']), observableExtension)) return true
  const octiType = openCti['type']
  if (typeof octiType === 'string' && kindOfOpenCtiType(octiType) !== undefined) return true
  if (openCti['extension_type'] === 'new-sdo') return false
  return fields['created'] === undefined
}
