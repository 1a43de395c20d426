import { type StixObject } from '../knowledge/stix-object.ts'
import { buildReport } from './build-containers.ts'
import { buildIdentity, buildLocation } from './build-identities.ts'
import { buildIndicator, indicatorKinds, type IndicatorKind } from './build-indicator.ts'
import { buildLabel, buildMarking } from './build-meta.ts'
import { buildObservable, observableKinds, type ObservableKind } from './build-observable.ts'
import { buildRelationship, buildSighting } from './build-relations.ts'
import {
  buildAttackPattern,
  buildCampaign,
  buildIntrusionSet,
  buildMalware,
  buildThreatActor,
  buildTool,
} from './build-threats.ts'
import { buildVulnerability } from './build-vulnerability.ts'
import { dateOf } from './build-object.ts'
import { randomMarking } from './random-marking.ts'
import { seededRandom } from './seeded-random.ts'

/** Observables with few possible values, which would repeat in a large set. */
const rareKinds = new Set<ObservableKind>(['ipv4-addr', 'autonomous-system', 'payment-card', 'phone-number'])
const commonObservables = observableKinds.filter((kind) => !rareKinds.has(kind))
const commonIndicators = indicatorKinds.filter((kind) => kind !== 'ipv4')

/** Number of IPv4 addresses reserved for documentation. */
const maxAddresses = 762

/** New relations connect the newest objects, at most this many. */
const maxRecent = 200

/**
 * Builds a mixed knowledge base of any size, object by object: mostly indicators and observables, plus
 * relations, reports, threats, vulnerabilities, and what they reference, across all TLP levels. References
 * always point to earlier objects.
 *
 * @example
 * ```ts
 * import { buildKnowledgeBase, Simulator } from 'opencti-stream-connector/testing'
 *
 * await using simulator = await Simulator.start()
 * simulator.load(buildKnowledgeBase({ seed: 7, size: 5000 }))
 * ```
 */
export function* buildKnowledgeBase({
  seed = 1,
  size = 1000,
}: KnowledgeBaseOptions = {}): Generator<StixObject> {
  const random = seededRandom(seed)
  const base = seed * 10_000_000
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const author = buildIdentity({ seed: base + 1 })
  const recent: { indicators: StixObject[]; observables: StixObject[]; threats: StixObject[] } = {
    indicators: [],
    observables: [],
    threats: [],
  }
  const first = [author, buildLabel('botnet', { seed: base }), buildMarking(undefined, { seed: base })]
  for (let index = 0; index < size; index++) {
    if (index < first.length) {
      yield first[index]!
      continue
    }
    const number = base + index
    // Created long ago and updated since, so that catch-up pages arrive out of order.
    const options = {
      seed: number,
      created_by_ref: author.id,
      object_marking_refs: [randomMarking(random)],
      x_opencti_score: Math.floor(random() * 101),
      x_opencti_created_at: dateOf(index),
      x_opencti_updated_at: dateOf(0, 14 + random()),
    }
    const kind = random()
    const { indicators, observables, threats } = recent
    if (kind < 0.4 || indicators.length === 0) {
      const indicator = kind < 0.1 && index < maxAddresses ? 'ipv4' : pick<IndicatorKind>(commonIndicators)
      yield remember(indicators, buildIndicator(indicator, options))
    } else if (kind < 0.65 || observables.length === 0) {
      yield remember(observables, buildObservable(pick(commonObservables), options))
    } else if (kind < 0.75 || threats.length === 0) {
      yield remember(threats, buildThreat(pick(threatKinds), withoutScore(options)))
    } else if (kind < 0.9) {
      const plain = withoutScore(options)
      yield random() < 0.5
        ? buildRelationship(pick(indicators), 'indicates', pick(threats), plain)
        : buildRelationship(pick(indicators), 'based-on', pick(observables), plain)
    } else if (kind < 0.94) {
      yield buildSighting(pick(indicators), author, withoutScore(options))
    } else if (kind < 0.97) {
      yield buildVulnerability(random() < 0.5 ? 'new' : 'old', options)
    } else {
      const content = [pick(indicators), pick(observables), pick(threats)]
      yield buildReport(content, withoutScore(options))
    }
  }
}

/** Options for {@link buildKnowledgeBase}. */
export interface KnowledgeBaseOptions {
  /**
   * The same seed builds the same objects.
   * @default 1
   */
  readonly seed?: number | undefined
  /**
   * Number of objects.
   * @default 1000
   */
  readonly size?: number | undefined
}

const threatBuilders = {
  malware: buildMalware,
  'threat-actor': buildThreatActor,
  'intrusion-set': buildIntrusionSet,
  campaign: buildCampaign,
  tool: buildTool,
  'attack-pattern': buildAttackPattern,
  location: buildLocation,
}
const threatKinds = Object.keys(threatBuilders) as (keyof typeof threatBuilders)[]

function buildThreat(kind: keyof typeof threatBuilders, options: Record<string, unknown>): StixObject {
  return threatBuilders[kind](options)
}

function remember(list: StixObject[], object: StixObject): StixObject {
  list.push(object)
  if (list.length > maxRecent) list.shift()
  return object
}

function withoutScore<T extends { x_opencti_score: number }>(options: T): Omit<T, 'x_opencti_score'> {
  const { x_opencti_score: _score, ...rest } = options
  return rest
}
