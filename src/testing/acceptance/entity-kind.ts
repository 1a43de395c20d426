import { buildCaseIncident, buildCaseRfi, buildCaseRft, buildGrouping } from '../builders/build-containers.ts'
import { buildNote, buildReport } from '../builders/build-containers.ts'
import { buildIdentity, buildLocation } from '../builders/build-identities.ts'
import { buildIndicator, indicatorKinds } from '../builders/build-indicator.ts'
import { buildObject, dateOf, type BuildOptions, type BuiltObject } from '../builders/build-object.ts'
import { buildObservable, observableKinds, type ObservableKind } from '../builders/build-observable.ts'
import { buildRelationship, buildSighting } from '../builders/build-relations.ts'
import {
  buildAttackPattern,
  buildCampaign,
  buildIntrusionSet,
  buildMalware,
  buildThreatActor,
  buildTool,
} from '../builders/build-threats.ts'
import { buildVulnerability } from '../builders/build-vulnerability.ts'
import { type StixObject } from '../knowledge/stix-object.ts'

/** What others refer to: never deleted, renamed or moved while the history goes on. */
export interface Anchors {
  readonly indicator: BuiltObject<'indicator'>
  readonly malware: BuiltObject<'malware'>
  readonly observable: BuiltObject<'domain-name'>
  readonly author: BuiltObject<'identity'>
}

/** A kind of entity that a history creates. */
export interface EntityKind {
  readonly name: string
  readonly type: string
  /** The property that a person changes to rename it; undefined if its content is its identity. */
  readonly nameProperty?: 'name' | 'abstract' | undefined
  /** Whether it is an indicator whose pattern names values of a few that others name, too. */
  readonly sharedValues?: SharedValues | undefined
  build(options: BuildOptions & { readonly seed: number }, anchors: Anchors): StixObject
}

/** Observables with few possible values, which would repeat. */
const rareObservables = new Set<ObservableKind>(['ipv4-addr', 'payment-card', 'phone-number'])

/** How a pattern names a value that several indicators name, or one of its own. */
const patternParts = {
  domains: (number: number, isShared: boolean) =>
    `domain-name:value = '${isShared ? 'shared' : 'own'}-${number}.example'`,
  addresses: (number: number, isShared: boolean) =>
    `ipv4-addr:value = '${isShared ? `198.51.100.${200 + number}` : addressOf(number + 100_000)}'`,
  hashes: (number: number, isShared: boolean) =>
    `file:hashes.MD5 = '${String(number).padStart(32, isShared ? 'a' : 'b')}'`,
}

const mainTypes = { domains: 'Domain-Name', addresses: 'IPv4-Addr', hashes: 'StixFile' }

/** The kinds of values that several indicators name. */
export type SharedValues = keyof typeof patternParts

/** A pattern with one value of its own and up to three that others name, too. */
export function sharedPattern(values: SharedValues, seed: number): string {
  const part = patternParts[values]
  const shared = [0, 1, 2].filter((bit) => ((seed >> bit) & 1) === 1).map((number) => part(number, true))
  return `[${[part(seed, false), ...shared].join(' OR ')}]`
}

/** Every kind that a history knows. */
export const entityKinds: readonly EntityKind[] = [
  ...indicatorKinds
    // Few addresses are reserved for documentation; an address of our own does not repeat.
    .filter((name) => name !== 'ipv4')
    .map((name): EntityKind => ({
      name: `indicator ${name}`,
      type: 'indicator',
      nameProperty: 'name',
      build: (options) => buildIndicator(name, options),
    })),
  {
    name: 'indicator ipv4',
    type: 'indicator',
    nameProperty: 'name',
    build: (options) =>
      buildIndicator('ipv4', { pattern: `[ipv4-addr:value = '${addressOf(options.seed)}']`, ...options }),
  },
  ...(Object.keys(patternParts) as SharedValues[]).map((sharedValues): EntityKind => ({
    name: `indicator of shared ${sharedValues}`,
    type: 'indicator',
    nameProperty: 'name',
    sharedValues,
    build: (options) =>
      buildIndicator('domain', {
        x_opencti_main_observable_type: mainTypes[sharedValues],
        pattern: sharedPattern(sharedValues, options.seed),
        ...options,
      }),
  })),
  ...observableKinds
    .filter((name) => !rareObservables.has(name))
    .map((name): EntityKind => ({ name, type: name, build: (options) => buildObservable(name, options) })),
  {
    name: 'ipv4-addr',
    type: 'ipv4-addr',
    build: (options) => buildObservable('ipv4-addr', { value: addressOf(options.seed + 50_000), ...options }),
  },
  ...named('malware', buildMalware),
  ...named('threat-actor', buildThreatActor),
  ...named('intrusion-set', buildIntrusionSet),
  ...named('campaign', buildCampaign),
  ...named('tool', buildTool),
  ...named('attack-pattern', buildAttackPattern),
  ...named('identity', buildIdentity),
  ...named('location', buildLocation),
  ...named('vulnerability', (options) => buildVulnerability('new', options)),
  ...named('incident', (options) =>
    buildObject(
      'incident',
      {
        name: `Incident ${options.seed}`,
        description: `An invented incident, number ${options.seed}.`,
        severity: 'high',
        created: dateOf(options.seed),
        modified: dateOf(options.seed),
      },
      options,
    ),
  ),
  ...named('report', (options, { malware }) => buildReport([malware], options)),
  ...named('grouping', (options, { malware }) => buildGrouping([malware], options)),
  ...named('case-incident', (options, { malware }) => buildCaseIncident([malware], options)),
  ...named('case-rfi', (options, { malware }) => buildCaseRfi([malware], options)),
  ...named('case-rft', (options, { malware }) => buildCaseRft([malware], options)),
  {
    name: 'note',
    type: 'note',
    build: (options, { malware }) => buildNote([malware], options),
  },
  {
    name: 'relationship indicates',
    type: 'relationship',
    build: (options, { indicator, malware }) => buildRelationship(indicator, 'indicates', malware, options),
  },
  {
    name: 'relationship based-on',
    type: 'relationship',
    build: (options, { indicator, observable }) =>
      buildRelationship(indicator, 'based-on', observable, options),
  },
  {
    name: 'sighting',
    type: 'sighting',
    build: (options, { indicator, author }) => buildSighting(indicator, author, options),
  },
]

function named(type: string, build: EntityKind['build']): EntityKind[] {
  return [{ name: type, type, nameProperty: 'name', build }]
}

/** An address in the range for benchmarks (RFC 2544), which is large enough. */
function addressOf(seed: number): string {
  return `198.${18 + ((seed >> 16) & 1)}.${(seed >> 8) & 255}.${seed & 255}`
}
