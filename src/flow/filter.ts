import { type ResolvedFilterOptions } from '../settings/filter-options.ts'
import { labelsOf, createdByOf } from '../stix/entity-text.ts'
import { confidenceOf, scoreOf } from '../stix/entity-rating.ts'
import { createdAtOf, isInferred, isRevoked } from '../stix/entity-life.ts'
import { fieldOf } from '../stix/entity-extensions.ts'
import { octiTypeOf } from '../stix/entity-ids.ts'
import { type Entity } from '../stix/entity.ts'
import { markingsOf, tlpOf } from '../stix/markings.ts'
import { compareTlp, type Tlp } from '../stix/tlp.ts'
import { type Clock } from '../util/clock.ts'

/** Groups of types that can stand in `types` (OpenCTI platform, schema/general.ts). */
const containerTypes = new Set(['report', 'note', 'opinion', 'observed-data', 'grouping', 'task', 'feedback'])
const relationshipTypes = new Set(['relationship', 'sighting'])
const metaTypes = new Set(['marking-definition', 'label', 'kill-chain-phase', 'external-reference'])

/** Why an entity does not pass. */
export interface Rejection {
  /** Under which it is counted, such as `filter-labels`. */
  readonly reason: string
  /** It follows from what never changes, so that the entity can never have been pushed. */
  readonly isForGood: boolean
}

type FilterRules = ResolvedFilterOptions & { readonly tlp?: readonly Tlp[] | undefined }

type Rule = { readonly rejection: Rejection; readonly passes: (entity: Entity) => boolean }

/**
 * Decides which entities reach the hooks. The rules stand in order of what they cost, and only those that somebody set
 * are there at all.
 */
export class Filter {
  readonly #rules: readonly Rule[]

  /** @param options what has to hold; `tlp` names the only markings that pass. */
  constructor(options: FilterRules, clock: Pick<Clock, 'now'>) {
    this.#rules = [...rulesOf(options, clock)]
  }

  /** The first rule that an entity breaks; undefined when it passes. */
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
  if (options.patternTypes.length > 0)
    yield rule('pattern-type', ofIndicators('pattern_type', options.patternTypes))
  if (options.observableTypes.length > 0) {
    yield rule('observable-type', ofIndicators('main_observable_type', options.observableTypes))
  }
  if (options.revoked !== 'include')
    yield rule('revoked', (entity) => isRevoked(entity) === (options.revoked === 'only'))
  if (options.inferred !== 'include') {
    yield rule('inferred', (entity) => isInferred(entity) === (options.inferred === 'only'))
  }
  if (minScore !== undefined) yield rule('score', (entity) => (scoreOf(entity) ?? -1) >= minScore)
  if (minConfidence !== undefined)
    yield rule('confidence', (entity) => (confidenceOf(entity) ?? -1) >= minConfidence)
  if (options.authors.length > 0) {
    const authors = new Set(options.authors)
    yield rule('author', (entity) => authors.has(createdByOf(entity) ?? ''))
  }
  if (levels.length > 0) {
    const wanted = new Set(levels)
    yield rule('tlp', (entity) => {
      const { tlp, unknown } = markingsOf(entity)
      return tlp === undefined ? unknown.length === 0 && wanted.has('TLP:CLEAR') : wanted.has(tlp)
    })
  }
  if (maxTlp !== undefined) {
    yield rule('tlp', (entity) => {
      // Without a TLP marking, one that we do not know could be a stricter level of the platform's own.
      const { tlp, unknown } = markingsOf(entity)
      return tlp === undefined ? unknown.length === 0 : compareTlp(tlp, maxTlp) <= 0
    })
  }
  if (minTlp !== undefined) yield rule('tlp', (entity) => compareTlp(tlpOf(entity), minTlp) >= 0)
  if (labels.any.length + labels.all.length + labels.none.length > 0) yield rule('labels', labelRule(labels))
  if (maxAgeMs !== undefined) {
    yield rule('age', (entity) => {
      const createdMs = Date.parse(createdAtOf(entity) ?? '')
      return Number.isNaN(createdMs) || clock.now() - createdMs <= maxAgeMs
    })
  }
  if (where !== undefined) yield rule('where', (entity) => where(entity))
}

/** Names in `types` are STIX types, OpenCTI types or groups, in any case. */
function typeRule(types: readonly string[]): Rule['passes'] {
  const wanted = new Set(types.map((type) => type.toLowerCase()))
  const decided = new Map<string, boolean>()
  return (entity) => {
    if (wanted.has(entity.type)) return true
    const octiType = octiTypeOf(entity) ?? ''
    const key = `${entity.type} ${octiType}`
    let passes = decided.get(key)
    if (passes === undefined) {
      passes = wanted.has(octiType.toLowerCase()) || groupsOf(entity).some((group) => wanted.has(group))
      if (decided.size < 1000) decided.set(key, passes)
    }
    return passes
  }
}

function groupsOf(entity: Entity): readonly string[] {
  if (relationshipTypes.has(entity.type)) return ['relationship']
  if (metaTypes.has(entity.type)) return ['meta-object']
  if (containerTypes.has(entity.type) || entity.type.startsWith('case-'))
    return ['container', 'domain-object']
  // Only cyber observables have no `created`.
  return fieldOf(entity, 'created') === undefined ? ['observable'] : ['domain-object']
}

/** A condition on a field of indicators; other entities have no such field and are not concerned. */
function ofIndicators(field: string, values: readonly string[]): Rule['passes'] {
  const wanted = new Set(values.map((value) => value.toLowerCase()))
  return (entity) =>
    entity.type !== 'indicator' || wanted.has(String(fieldOf(entity, field) ?? '').toLowerCase())
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
