import { openCtiExtension } from '../../stix/types/extensions.ts'

/** Contents of a STIX extension. */
export type StixExtension = Record<string, unknown>

/**
 * Any STIX object, loosely typed: what the simulator accepts, stores, and sends. Builders return typed
 * entities; use `asEntity` for other objects.
 *
 * @example
 * ```ts
 * import { type StixObject } from 'opencti-stream-connector/testing'
 *
 * const domain: StixObject = { type: 'domain-name', id: 'domain-name--3feb0435-4cfe-526c-ad29-7497916a7c8c', value: 'bad.example' }
 * ```
 */
export interface StixObject {
  id: string
  type: string
  extensions?: Record<string, StixExtension> | undefined
  [property: string]: unknown
}

/** What the platform keeps on every object: OpenCTI id, OpenCTI type, dates. */
export interface OpenCtiProperties extends StixExtension {
  id: string
  type: string
  created_at: string
  updated_at: string
  is_inferred: boolean
}

/**
 * OpenCTI extension of an object, with its OpenCTI id, dates, and score.
 *
 * @throws Error if the object has none because it never went through a platform.
 *
 * @example
 * ```ts
 * import { buildIndicator, openCtiPropertiesOf, Simulator } from 'opencti-stream-connector/testing'
 *
 * await using simulator = await Simulator.start()
 * const indicator = simulator.create(buildIndicator('ipv4'))
 * simulator.update(indicator.id, (draft) => {
 *   openCtiPropertiesOf(draft)['score'] = 10
 * })
 * ```
 */
export function openCtiPropertiesOf(object: StixObject): OpenCtiProperties {
  const extension = object.extensions?.[openCtiExtension]
  if (extension === undefined) {
    throw new Error(`${object.id} has no OpenCTI extension: only objects stored by a platform have one.`)
  }
  return extension as OpenCtiProperties
}

/**
 * Deeply freezes an object. The knowledge base, the history, and the caller share stored objects, so an
 * accidental change must fail immediately.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}

/** Texts in `value` if it is an array, otherwise none. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
