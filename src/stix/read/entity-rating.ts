import { type Entity } from '../types/entity.ts'
import { observableFieldsOf, openCtiFieldsOf } from '../types/entity-extensions.ts'
import { fieldsOf, percentOf } from '../types/json-value.ts'

/**
 * The score, 0 to 100, undefined when there is none. It stands in the OpenCTI extension of domain objects, in the
 * observable extension of standard observables and at the top of the others (OpenCTI platform,
 * database/stix-2-1-converter.ts). A score of 0 is a score. Decimal text counts as the number that it shows; what
 * lies outside of 0 to 100 is no score.
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
 * How sure the author is, 0 to 100, undefined when it is not said. Observables have none (STIX 2.1, common
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

/** Severities by the lowest score that has them; the order does not matter. */
export type SeverityTable<Severity> = Readonly<Record<number, Severity>>

/** Tables are constants of a connector: their thresholds are sorted once. */
const sortedThresholds = new WeakMap<object, readonly number[]>()

/**
 * The severity of the highest threshold that the score reaches. A table that has an entry for 0 leaves no score
 * without a severity; an entity without a score has none.
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
