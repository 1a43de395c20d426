import { openCtiExtension } from '../../stix/types/extensions.ts'

/** The contents of one STIX extension. */
export type StixExtension = Record<string, unknown>

/**
 * Any STIX object, loosely typed: what the simulator takes, keeps and sends. What the builders return is an `Entity`
 * of its type as well; of other objects `asEntity` makes one.
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

/** What the platform itself keeps on each object: internal id, OpenCTI type, dates. */
export interface OpenCtiProperties extends StixExtension {
  id: string
  type: string
  created_at: string
  updated_at: string
  is_inferred: boolean
}

/**
 * The OpenCTI extension of an object, with its internal id, its dates, its score.
 *
 * @throws Error when the object has none, because it never went through a platform.
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
    throw new Error(`${object.id} has no OpenCTI extension: only objects that a platform stored have one.`)
  }
  return extension as OpenCtiProperties
}

/**
 * Freezes an object with all that hangs on it. Stored objects are shared by the knowledge base, the history and the
 * caller: whoever changes one by accident must hear of it at once.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}

/** The texts in `value` when it is an array, else none. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
