import { type Entity } from '../types/entity.ts'
import { observableFieldsOf, openCtiFieldsOf } from '../types/entity-extensions.ts'
import { fieldsOf, percentOf } from '../types/json-value.ts'

/**
 * Score from 0 to 100; undefined if there is none. Found in the OpenCTI extension of domain objects, in the
 * observable extension of standard observables, and at the top level of other observables (OpenCTI platform,
 * database/stix-2-1-converter.ts). 0 is a valid score. Decimal text counts as a number; values outside 0 to
 * 100 do not count.
 *
 * @example
 * ```ts
 * import { scoreOf, type Entity } from 'opencti-stream-connector'
 *
 * const isUrgent = (entity: Entity) => (scoreOf(entity) ?? 0) >= 80
 * ```
 */
export function scoreOf(entity: Entity): number | undefined {
  const fields = fieldsOf(entity)
  return (
    percentOf(openCtiFieldsOf(fields)['score']) ??
    percentOf(observableFieldsOf(fields)['score']) ??
    percentOf(fields['score']) ??
    percentOf(fields['x_opencti_score'])
  )
}

/**
 * The author's confidence from 0 to 100; undefined if not given. Observables have none (STIX 2.1, common
 * properties; OpenCTI platform, database/stix-2-1-converter.ts, `buildStixDomain`).
 *
 * @example
 * ```ts
 * import { confidenceOf, type Entity } from 'opencti-stream-connector'
 *
 * const isSure = (entity: Entity) => (confidenceOf(entity) ?? 0) >= 75
 * ```
 */
export function confidenceOf(entity: Entity): number | undefined {
  return percentOf(fieldsOf(entity)['confidence'])
}

/** Severities by minimum score, in any order. */
export type SeverityTable<Severity> = Readonly<Record<number, Severity>>

/** Tables are constants in a connector, so sort their thresholds once. */
const sortedThresholds = new WeakMap<object, readonly number[]>()

/**
 * Severity of the highest threshold the score reaches. A table with an entry for 0 covers every score; an
 * entity without a score has no severity.
 *
 * @example
 * ```ts
 * import { severityOf, type Entity } from 'opencti-stream-connector'
 *
 * const severities = { 0: 'low', 40: 'medium', 70: 'high', 90: 'critical' } as const
 * const alertLevel = (entity: Entity) => severityOf(entity, severities) ?? 'medium'
 * ```
 */
export function severityOf<Severity>(entity: Entity, table: SeverityTable<Severity>): Severity | undefined {
  const score = scoreOf(entity)
  if (score === undefined) return undefined
  for (const threshold of thresholdsOf(table)) if (score >= threshold) return table[threshold]
  return undefined
}

function thresholdsOf(table: object): readonly number[] {
  let thresholds = sortedThresholds.get(table)
  if (thresholds === undefined) {
    thresholds = Object.keys(table)
      .map(Number)
      .filter((threshold) => !Number.isNaN(threshold))
      .toSorted((a, b) => b - a)
    sortedThresholds.set(table, thresholds)
  }
  return thresholds
}
