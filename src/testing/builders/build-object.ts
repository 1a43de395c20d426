import { type KnownEntity } from '../../stix/types/entity.ts'
import { analystId } from '../knowledge/platform.ts'
import { toPlatformShape, type StixInput } from '../knowledge/platform-shape.ts'
import { internalIdFrom, standardIdOf } from '../knowledge/standard-id.ts'
import { deepFreeze, type StixObject } from '../knowledge/stix-object.ts'

/** An object as the platform streams it, typed as its entity. Frozen. */
export type BuiltObject<Type extends KnownEntity['type']> = StixObject &
  Extract<KnownEntity, { readonly type: Type }>

/** Creation time of the first built object … */
const startMs = Date.UTC(2026, 7, 1)

/** … plus one minute per seed, wrapping after two weeks. */
const maxMinutes = 14 * 24 * 60

/** Creation time for a seed, as ISO 8601, optionally some days later. */
export function dateOf(seed: number, days = 0): string {
  return new Date(timeOf(seed) + days * 86_400_000).toISOString()
}

function timeOf(seed: number): number {
  return startMs + (seed % maxMinutes) * 60_000
}

/** Seed in the options. */
export function seedOf(options: BuildOptions): number {
  return options.seed ?? 1
}

/**
 * Converts an object to the platform's shape.
 *
 * @param defaults values from the builder.
 * @param options values from the caller, which override them.
 * @param related referenced objects, for what the platform says about them.
 */
export function buildObject<Type extends KnownEntity['type']>(
  type: Type,
  defaults: Record<string, unknown>,
  { seed = 1, ...overrides }: BuildOptions,
  related: readonly StixObject[] = [],
): BuiltObject<Type> {
  const input: StixInput = { type, ...defaults, ...overrides }
  // Types without identifying content get an id from the seed.
  input.id ??=
    standardIdOf(input as StixObject) ?? `${type}--${internalIdFrom(`${type}:${seed}:${keyOf(input)}`)}`
  const shaped = toPlatformShape(input, {
    nowMs: timeOf(seed),
    creatorId: analystId,
    find: (id) => related.find((object) => object.id === id),
  })
  return deepFreeze(shaped) as BuiltObject<Type>
}

/**
 * Options of every builder: the seed, and properties that override the builder's own. `x_opencti_…`
 * properties move to the extensions; `undefined` removes a property.
 */
export interface BuildOptions {
  /**
   * Selects one of many possible objects; the same seed builds the same one.
   * @default 1
   */
  readonly seed?: number | undefined
  readonly [property: string]: unknown
}

/** Distinguishes relations between different objects. */
function keyOf(input: StixInput): string {
  return [
    input['relationship_type'],
    input['source_ref'],
    input['target_ref'],
    input['sighting_of_ref'],
  ].join()
}
