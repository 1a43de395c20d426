import { type ResolvedFilterOptions } from '../settings/schemas/filter-options.ts'
import { labelsOf, createdByOf } from '../stix/read/entity-text.ts'
import { confidenceOf, scoreOf } from '../stix/read/entity-rating.ts'
import { createdMsOf, isInferred, isRevoked } from '../stix/read/entity-life.ts'
import { fieldOf } from '../stix/types/entity-extensions.ts'
import { groupsOf, isKnownTypeName, typeNameOf } from '../stix/types/entity-groups.ts'
import { octiTypeOf } from '../stix/read/entity-ids.ts'
import { type Entity } from '../stix/types/entity.ts'
import { mainObservableTypeOf } from '../stix/read/main-observable-type.ts'
import { markingsOf, tlpOf } from '../stix/read/markings.ts'
import { kindOfOpenCtiType } from '../stix/types/observable-kinds.ts'
import { isPapMarking } from '../stix/read/pap-markings.ts'
import { compareTlp, type Tlp } from '../stix/read/tlp.ts'
import { type Clock } from '../util/clock.ts'

/** Why an entity is rejected. */
export interface Rejection {
  /** Reason to count it under, such as `filter-labels`. */
  readonly reason: string
  /** Follows from immutable fields, so the entity can never have been pushed. */
  readonly isForGood: boolean
}

type FilterRules = ResolvedFilterOptions & { readonly tlp?: readonly Tlp[] | undefined }

type Rule = { readonly rejection: Rejection; readonly passes: (entity: Entity) => boolean }

/** Decides which entities reach the hooks. Only contains configured rules, cheapest first. */
export class Filter {
  readonly #rules: readonly Rule[]

  /** @param options conditions; `tlp` lists the only markings to accept. */
  constructor(options: FilterRules, clock: Pick<Clock, 'now'>) {
    this.#rules = [...rulesOf(options, clock)]
  }

  /** The first rule an entity breaks; undefined if it passes. */
  rejects(entity: Entity): Rejection | undefined {
    for (const rule of this.#rules) if (!rule.passes(entity)) return rule.rejection
    return undefined
  }
}

function* rulesOf(options: FilterRules, clock: Pick<Clock, 'now'>): Iterable<Rule> {
  const rule = (name: string, passes: Rule['passes'], isForGood = false): Rule => ({
    rejection: { reason: `filter-${name}`, isForGood },
    passes,
  })
  const { labels, tlp: levels = [], maxTlp, minTlp, minScore, minConfidence, maxAgeMs, where } = options
  if (options.types.length > 0) yield rule('type', typeRule(options.types), true)
  if (options.patternTypes.length > 0) yield rule('pattern-type', patternTypeRule(options.patternTypes))
  if (options.observableTypes.length > 0)
    yield rule('observable-type', observableTypeRule(options.observableTypes))
  if (options.revoked !== 'include')
    yield rule('revoked', (entity) => isRevoked(entity) === (options.revoked === 'only'))
  if (options.inferred !== 'include') {
    yield rule('inferred', (entity) => isInferred(entity) === (options.inferred === 'only'))
  }
  if (minScore !== undefined) yield rule('score', (entity) => (scoreOf(entity) ?? -1) >= minScore)
  if (minConfidence !== undefined)
    yield rule('confidence', (entity) => (confidenceOf(entity) ?? -1) >= minConfidence)
  if (options.authors.length > 0) yield rule('author', authorRule(options.authors))
  if (levels.length > 0) {
    const wanted = new Set(levels)
    yield rule(
      'tlp',
      levelRule(options.unknownMarkings, (tlp) => wanted.has(tlp)),
    )
  }
  if (maxTlp !== undefined) {
    yield rule(
      'tlp',
      levelRule(options.unknownMarkings, (tlp) => compareTlp(tlp, maxTlp) <= 0),
    )
  }
  if (minTlp !== undefined) yield rule('tlp', (entity) => compareTlp(tlpOf(entity), minTlp) >= 0)
  if (labels.any.length + labels.all.length + labels.none.length > 0) yield rule('labels', labelRule(labels))
  if (maxAgeMs !== undefined) {
    yield rule('age', (entity) => {
      const createdMs = createdMsOf(entity)
      return createdMs === undefined || clock.now() - createdMs <= maxAgeMs
    })
  }
  if (where !== undefined) yield rule('where', (entity) => where(entity))
}

/** Names in `types` are STIX types, OpenCTI types, or groups, in any case. */
function typeRule(types: readonly string[]): Rule['passes'] {
  const wanted = new Set(types.map(typeNameOf))
  const decided = new Map<string, boolean>()
  return (entity) => {
    if (wanted.has(entity.type)) return true
    const octiType = octiTypeOf(entity) ?? ''
    const key = `${entity.type} ${octiType}`
    let passes = decided.get(key)
    if (passes === undefined) {
      passes = [typeNameOf(entity.type), typeNameOf(octiType), ...groupsOf(entity)].some((name) =>
        wanted.has(name),
      )
      // For an unknown type, the document must show whether it is an observable.
      if (decided.size < 1000 && isKnownTypeName(entity.type)) decided.set(key, passes)
    }
    return passes
  }
}

/** Conditions on indicator fields. They do not apply to entities without these fields. */
function patternTypeRule(patternTypes: readonly string[]): Rule['passes'] {
  const wanted = new Set(patternTypes.map((name) => name.trim().toLowerCase()))
  return (entity) => {
    if (entity.type !== 'indicator') return true
    // Optional in STIX 2.0 and in the specification's shape, where it means STIX.
    const patternType = fieldOf(entity, 'pattern_type') ?? 'stix'
    return typeof patternType === 'string' && wanted.has(patternType.trim().toLowerCase())
  }
}

function observableTypeRule(observableTypes: readonly string[]): Rule['passes'] {
  const nameOf = (type: string) => kindOfOpenCtiType(type)?.type ?? type.trim().toLowerCase()
  const wanted = new Set(observableTypes.map(nameOf))
  return (entity) =>
    entity.type !== 'indicator' || wanted.has(nameOf(mainObservableTypeOf(entity) ?? 'unknown'))
}

/** Authors by STIX id, or by their id on the platform, as in its URLs. */
function authorRule(authors: readonly string[]): Rule['passes'] {
  const wanted = new Set(authors.map((id) => id.trim().toLowerCase()))
  const isWanted = (id: unknown) => typeof id === 'string' && wanted.has(id.toLowerCase())
  return (entity) => isWanted(createdByOf(entity)) || isWanted(fieldOf(entity, 'created_by_ref_id'))
}

/**
 * A condition on the TLP level, which is `TLP:CLEAR` by default. An unknown marking may be stricter than any
 * level; next to a level, a Permissible Actions Protocol marking does not count as unknown.
 */
function levelRule(
  unknownMarkings: ResolvedFilterOptions['unknownMarkings'],
  passes: (tlp: Tlp) => boolean,
): Rule['passes'] {
  return (entity) => {
    const { tlp, unknown } = markingsOf(entity)
    const isKnown = unknown.length === 0 || (tlp !== undefined && unknown.every(isPapMarking))
    return (isKnown || unknownMarkings === 'include') && passes(tlp ?? 'TLP:CLEAR')
  }
}

function labelRule({ any, all, none }: ResolvedFilterOptions['labels']): Rule['passes'] {
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase())
  const [anyOf, allOf, noneOf] = [lower(any), lower(all), lower(none)]
  return (entity) => {
    const labels = new Set(lower(labelsOf(entity)))
    if (anyOf.length > 0 && !anyOf.some((label) => labels.has(label))) return false
    return allOf.every((label) => labels.has(label)) && !noneOf.some((label) => labels.has(label))
  }
}
