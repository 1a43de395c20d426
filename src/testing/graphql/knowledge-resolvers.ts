import { isContainer, isObservable } from '../knowledge/entity-types.ts'
import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { type Platform } from '../knowledge/platform.ts'
import { textsOf } from '../knowledge/stix-object.ts'
import { type SimulatedUser } from '../live/access.ts'
import { idsOfFilters, matchesFilters, type FilterGroup } from './filter-group.ts'
import { type RootResolver } from './graphql-api.ts'
import { allow } from './graphql-failure.ts'
import { ObjectDescriptions, type ObjectDescription } from './object-description.ts'
import { referenceResolvers } from './reference-resolvers.ts'

type Fits = (type: string) => boolean

/** Query fields for one object and for lists, with the objects they cover. */
const kinds: readonly (readonly [one: string, many: string | undefined, fits: Fits])[] = [
  ['externalReference', 'externalReferences', (type) => type === 'external-reference'],
  ['identity', 'identities', (type) => type === 'identity'],
  ['indicator', 'indicators', (type) => type === 'indicator'],
  ['killChainPhase', 'killChainPhases', (type) => type === 'kill-chain-phase'],
  ['label', 'labels', (type) => type === 'label'],
  ['markingDefinition', 'markingDefinitions', (type) => type === 'marking-definition'],
  ['report', 'reports', (type) => type === 'report'],
  ['stixCyberObservable', 'stixCyberObservables', isObservable],
  ['container', undefined, isContainer],
]

/** Resolvers for reading knowledge and for what connectors write back. */
export function knowledgeResolvers(platform: Platform): Record<string, RootResolver> {
  const resolvers: Record<string, RootResolver> = {
    ...referenceResolvers(platform),
    stix: ({ id }, user) =>
      new ObjectDescriptions(platform.knowledge, allow(user, 'KNOWLEDGE')).find(id)?.json() ?? null,
    stixObjectOrStixRelationships: (given, user) =>
      list(platform, given, allow(user, 'KNOWLEDGE'), () => true),
  }
  for (const [one, many, fits] of kinds) {
    resolvers[one] = ({ id }, user) => {
      const descriptions = new ObjectDescriptions(platform.knowledge, allow(user, 'KNOWLEDGE'))
      const stored = descriptions.find(id)
      return stored !== undefined && fits(stored.object.type) ? descriptions.describe(stored) : null
    }
    if (many === undefined) continue
    resolvers[many] = (given, user) => list(platform, given, allow(user, 'KNOWLEDGE'), fits)
  }
  return resolvers
}

function list(
  { knowledge }: Platform,
  given: Readonly<Record<string, unknown>>,
  user: SimulatedUser,
  fits: Fits,
): ObjectDescription {
  const descriptions = new ObjectDescriptions(knowledge, user)
  const filters = (given['filters'] ?? undefined) as FilterGroup | undefined
  const ids = idsOfFilters(filters) ?? [...knowledge.values()].map(({ properties }) => properties.id)
  const types = textsOf(given['types'])
  const search = typeof given['search'] === 'string' ? given['search'].toLowerCase() : ''
  const found = descriptions.findAll(ids).filter((stored) => {
    if (!fits(stored.object.type)) return false
    if (filters === undefined && types.length === 0 && search === '') return true
    const description = descriptions.describe(stored)
    const { main } = description['representative'] as { main: string }
    return (
      (types.length === 0 || typesOf(description).some((type) => types.includes(type))) &&
      (search === '' || main.toLowerCase().includes(search)) &&
      matchesFilters(filters, (key) => valuesOf(stored, description, key))
    )
  })
  if (typeof given['orderBy'] === 'string')
    sort(found, descriptions, given['orderBy'], given['orderMode'] === 'desc')
  return descriptions.page(found, given)
}

function typesOf(description: ObjectDescription): string[] {
  return [String(description['entity_type']), ...textsOf(description['parent_types'])]
}

/** An object's values under a filter key: usually its own field, sometimes ids of other objects. */
function valuesOf(stored: StoredObject, description: ObjectDescription, key: string): string[] {
  const { object } = stored
  const own = (name: string) =>
    (description[name] as () => ObjectDescription | readonly ObjectDescription[] | undefined)()
  const idsOf = (name: string) =>
    [own(name)].flat().flatMap((each) => (each === undefined ? [] : [each['id'], each['standard_id']]))
  switch (key) {
    case 'ids':
      return [String(description['id']), object.id, ...textsOf(description['x_opencti_stix_ids'])]
    case 'entity_type':
      return typesOf(description)
    case 'createdBy':
    case 'objectMarking':
      return texts(idsOf(key))
    case 'objectLabel':
      return texts([...idsOf(key), ...[own(key)].flat().map((each) => each?.['value'])])
    default:
      if (key.startsWith('hashes.'))
        return texts([(object['hashes'] as Record<string, unknown> | undefined)?.[key.slice(7)]])
      return texts([key === 'internal_id' ? description['id'] : description[key]].flat())
  }
}

function texts(values: readonly unknown[]): string[] {
  return values.filter((value) => ['string', 'number', 'boolean'].includes(typeof value)).map(String)
}

function sort(
  found: StoredObject[],
  descriptions: ObjectDescriptions,
  field: string,
  isDescending: boolean,
): void {
  const keys = new Map(found.map((stored) => [stored, descriptions.describe(stored)[field]]))
  found.sort((a, b) => {
    const [left, right] = [keys.get(a), keys.get(b)]
    const order =
      typeof left === 'number' && typeof right === 'number'
        ? left - right
        : String(left ?? '').localeCompare(String(right ?? ''))
    return isDescending ? -order : order
  })
}
