import { type KnownEntity } from '../../stix/types/entity.ts'
import { analystId } from '../knowledge/platform.ts'
import { toPlatformShape, type StixInput } from '../knowledge/platform-shape.ts'
import { internalIdFrom, standardIdOf } from '../knowledge/standard-id.ts'
import { deepFreeze, type StixObject } from '../knowledge/stix-object.ts'

/**
 * What a builder is told: properties in place of its own (`x_opencti_…` goes to its place in the extensions,
 * `undefined` leaves one out), and the seed.
 */
export interface BuildOptions {
  /** Which of the many possible objects to build; the same seed builds the same one. Default: 1. */
  readonly seed?: number | undefined
  readonly [property: string]: unknown
}

/** An object as the platform streams it, typed as the entity that it is. It is frozen. */
export type BuiltObject<Type extends KnownEntity['type']> = StixObject &
  Extract<KnownEntity, { readonly type: Type }>

/** The moment that built objects are counted from … */
const startMs = Date.UTC(2026, 7, 1)

/** … a minute for each seed, and over again after two weeks. */
const maxMinutes = 14 * 24 * 60

/** When the object of this seed was made, as ISO 8601, or some days later. */
export function dateOf(seed: number, days = 0): string {
  return new Date(timeOf(seed) + days * 86_400_000).toISOString()
}

function timeOf(seed: number): number {
  return startMs + (seed % maxMinutes) * 60_000
}

/** The seed among the options. */
export function seedOf(options: BuildOptions): number {
  return options.seed ?? 1
}

/**
 * Puts an object into the shape of the platform.
 *
 * @param defaults what the builder says.
 * @param options what its caller says instead.
 * @param related objects that this one refers to, for what the platform says of them.
 */
export function buildObject<Type extends KnownEntity['type']>(
  type: Type,
  defaults: Record<string, unknown>,
  { seed = 1, ...overrides }: BuildOptions,
  related: readonly StixObject[] = [],
): BuiltObject<Type> {
  const input: StixInput = { type, ...defaults, ...overrides }
  // Types without a content that makes them what they are get an id from the seed.
  input.id ??=
    standardIdOf(input as StixObject) ?? `${type}--${internalIdFrom(`${type}:${seed}:${keyOf(input)}`)}`
  const shaped = toPlatformShape(input, {
    nowMs: timeOf(seed),
    creatorId: analystId,
    find: (id) => related.find((object) => object.id === id),
  })
  return deepFreeze(shaped) as BuiltObject<Type>
}

/** What tells relations between different objects apart. */
function keyOf(input: StixInput): string {
  return [
    input['relationship_type'],
    input['source_ref'],
    input['target_ref'],
    input['sighting_of_ref'],
  ].join()
}
