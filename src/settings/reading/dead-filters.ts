import { canOverlap, isKnownTypeName, knownTypeNames, typeNameOf } from '../../stix/types/entity-groups.ts'
import { kindOfOpenCtiType, observableTypes } from '../../stix/types/observable-kinds.ts'
import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { type DeliveryOptions } from '../schemas/delivery-options.ts'
import { type ResolvedRoute } from '../schemas/route-schema.ts'
import { nearestName } from './near-name.ts'

/**
 * Finds conditions no entity can meet and values none can have. Returns one sentence each, with the likely
 * intended name but never the received value. Only a warning, because a newer platform may have more types,
 * and labels and authors can change at any time.
 */
export function deadFilters({ delivery, defaults, hasInferences }: FilterSettings): readonly string[] {
  const { filter, routes } = delivery
  return [
    ...unknownValues('CONNECTOR_FILTER_TYPES', filter.types, checkType),
    ...unknownValues('CONNECTOR_FILTER_PATTERN_TYPES', filter.patternTypes, checkPatternType),
    ...unknownValues('CONNECTOR_FILTER_OBSERVABLE_TYPES', filter.observableTypes, checkObservableType),
    ...unknownValues('CONNECTOR_FILTER_AUTHORS', filter.authors, checkId),
    ...foreignTypes(filter.types, defaults.filter?.types ?? []),
    ...contradictions('The filter', filter),
    ...(filter.inferred === 'only' && !hasInferences ? [noInferences] : []),
    ...routes.flatMap((route) => Array.from(deadRoute(route, filter.types))),
  ]
}

/** Input of {@link deadFilters}. */
export interface FilterSettings {
  readonly delivery: Pick<DeliveryOptions, 'filter' | 'routes'>
  /** Defaults from the connector's code. */
  readonly defaults: ConnectorDefaults
  /** Whether the platform sends inferred entities. */
  readonly hasInferences: boolean
}

function* deadRoute({ name, conditions }: ResolvedRoute, types: readonly string[]): Iterable<string> {
  const where = `The route ${name}`
  yield* unknownValues(where, conditions.types, checkType)
  yield* contradictions(where, conditions)
  if (!canBeBoth(conditions.types, types))
    yield `${where} accepts nothing: CONNECTOR_FILTER_TYPES excludes all of its types.`
}

const noInferences =
  'CONNECTOR_FILTER_INFERRED is only, but the platform sends no inferred entities, so nothing passes. Set CONNECTOR_LIVE_STREAM_WITH_INFERENCES to true.'

/**
 * Returns how a value is wrong, as the end of a sentence, and the likely intended value. Undefined if it is
 * fine.
 */
type Check = (value: string) => { readonly problem: string; readonly meant?: string | undefined } | undefined

/** Custom types start with `x-` (STIX 2.1, section 11.2). */
const checkType: Check = (value) =>
  isKnownTypeName(value) || typeNameOf(value).startsWith('x-')
    ? undefined
    : { problem: 'an unknown type', meant: nearestName(typeNameOf(value), knownTypeNames) }

const checkObservableType: Check = (value) =>
  kindOfOpenCtiType(value) !== undefined || value.trim().toLowerCase() === 'unknown'
    ? undefined
    : { problem: 'an unknown observable type', meant: nearestName(value, observableTypes) }

const patternTypes = 'stix pcre sigma snort suricata yara tanium-signal'.split(' ')

/** The platform creates others on demand, and a short name resembles too many of them. */
const checkPatternType: Check = (value) => {
  const word = value.trim().toLowerCase()
  const meant = word.length < 4 || patternTypes.includes(word) ? undefined : nearestName(word, patternTypes)
  return meant === undefined ? undefined : { problem: 'an unknown pattern type', meant }
}

const idForm = /^(?:identity--.+|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i

const checkId: Check = (value) =>
  idForm.test(value.trim())
    ? undefined
    : { problem: 'a value that is not an author id (identity--… or a UUID)' }

function unknownValues(where: string, values: readonly string[], check: Check): readonly string[] {
  return values.flatMap((value, index) => {
    const found = check(value)
    if (found === undefined) return []
    const place = values.length === 1 ? '' : ` at position ${index + 1}`
    const question = found.meant === undefined ? 'nothing may ever match it.' : `did you mean ${found.meant}?`
    return [`${where} names ${found.problem}${place}: ${question}`]
  })
}

/** Types the operator wants but the code never accepts. */
function foreignTypes(types: readonly string[], ofCode: readonly string[]): readonly string[] {
  if (types.every((type) => canBeBoth([type], ofCode))) return []
  const list = ofCode.join(', ')
  return [
    `CONNECTOR_FILTER_TYPES names a type that this connector does not support. Supported types: ${list}.`,
  ]
}

const canBeBoth = (some: readonly string[], others: readonly string[]) =>
  some.length === 0 || others.length === 0 || canOverlap(some, others)

/** Conditions that contradict each other. */
function* contradictions(where: string, conditions: DeliveryOptions['filter']): Iterable<string> {
  const { types, labels, minConfidence, minScore, revoked } = conditions
  const [any, all, none] = [labels.any, labels.all, labels.none].map(lowered) as [
    string[],
    string[],
    string[],
  ]
  const isExcluded = (label: string) => none.includes(label)
  if (all.some(isExcluded)) yield `${where} excludes a label that it requires, so nothing passes.`
  if (any.length > 0 && any.every(isExcluded))
    yield `${where} requires one of several labels but excludes all of them, so nothing passes.`
  if (minConfidence !== undefined && !canBeBoth(types, ['domain-object', 'relationship']))
    yield `${where} requires a confidence, which none of its types has, so nothing passes. Observables have a score.`
  if (minScore !== undefined && !canBeBoth(types, ['domain-object', 'observable']))
    yield `${where} requires a score, which none of its types has, so nothing passes.`
  if (revoked === 'only' && !canBeBoth(types, ['domain-object', 'relationship']))
    yield `${where} accepts only revoked entities, but none of its types can be revoked, so nothing passes.`
}

const lowered = (names: readonly string[]) => names.map((name) => name.toLowerCase())
