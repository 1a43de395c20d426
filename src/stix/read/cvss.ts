import { type OptionalFields } from '../types/entity-base.ts'
import { type Entity } from '../types/entity.ts'
import { openCtiFieldsOf } from '../types/entity-extensions.ts'
import { type Fields, fieldsOf, numberOf, textOf } from '../types/json-value.ts'

/** Scores of one CVSS version, limited to what the platform stores. */
export interface CvssScores extends OptionalFields<{
  vector: string
  /** 0 to 10. */
  baseScore: number
  /** `CRITICAL`, `HIGH`, …, as sent. CVSS 2 has none. */
  baseSeverity: string
  /** As sent: `N` or `NETWORK`, depending on the platform version. */
  attackVector: string
  confidentialityImpact: string
  integrityImpact: string
  availabilityImpact: string
}> {}

/** Result of {@link cvssOf}: scores by CVSS version. */
export interface Cvss extends OptionalFields<{ v2: CvssScores; v3: CvssScores; v4: CvssScores }> {}

/** Keys by CVSS version. CVSS 3 has two sets (OpenCTI platform, database/stix-2-1-converter.ts). */
const keys = {
  v3: {
    vector: ['cvss_vector'],
    baseScore: ['cvss_base_score', 'base_score'],
    baseSeverity: ['cvss_base_severity', 'base_severity'],
    attackVector: ['cvss_attack_vector', 'attack_vector'],
    confidentialityImpact: ['cvss_confidentiality_impact', 'confidentiality_impact'],
    integrityImpact: ['cvss_integrity_impact', 'integrity_impact'],
    availabilityImpact: ['cvss_availability_impact', 'availability_impact'],
  },
  v2: {
    vector: ['cvss_v2_vector'],
    baseScore: ['cvss_v2_base_score'],
    baseSeverity: [],
    attackVector: ['cvss_v2_access_vector'],
    confidentialityImpact: ['cvss_v2_confidentiality_impact'],
    integrityImpact: ['cvss_v2_integrity_impact'],
    availabilityImpact: ['cvss_v2_availability_impact'],
  },
  v4: {
    vector: ['cvss_v4_vector'],
    baseScore: ['cvss_v4_base_score'],
    baseSeverity: ['cvss_v4_base_severity'],
    attackVector: ['cvss_v4_attack_vector'],
    confidentialityImpact: ['cvss_v4_confidentiality_impact_v'],
    integrityImpact: ['cvss_v4_integrity_impact_v'],
    availabilityImpact: ['cvss_v4_availability_impact_v'],
  },
} as const satisfies Record<keyof Cvss, Record<keyof CvssScores, readonly string[]>>

/**
 * Reads a vulnerability's CVSS scores from the OpenCTI extension. Field names are the same for all platform
 * versions. Undefined if there are none.
 *
 * @example
 * ```ts
 * import { cvssOf, type Entity } from 'opencti-stream-connector'
 *
 * const isCritical = (entity: Entity) => (cvssOf(entity)?.v3?.baseScore ?? 0) >= 9
 * ```
 */
export function cvssOf(entity: Entity): Cvss | undefined {
  const openCti = openCtiFieldsOf(fieldsOf(entity))
  const v3 = scoresIn(openCti, keys.v3)
  const v2 = scoresIn(openCti, keys.v2)
  const v4 = scoresIn(openCti, keys.v4)
  if (v2 === undefined && v3 === undefined && v4 === undefined) return undefined
  return {
    ...(v2 !== undefined && { v2 }),
    ...(v3 !== undefined && { v3 }),
    ...(v4 !== undefined && { v4 }),
  }
}

function scoresIn(
  fields: Fields,
  names: Readonly<Record<keyof CvssScores, readonly string[]>>,
): CvssScores | undefined {
  const scores: Record<string, string | number> = {}
  let isEmpty = true
  for (const [property, candidates] of Object.entries(names)) {
    for (const key of candidates) {
      const value = property === 'baseScore' ? baseScore(fields[key]) : textOf(fields[key])
      if (value === undefined) continue
      scores[property] = value
      isEmpty = false
      break
    }
  }
  return isEmpty ? undefined : scores
}

function baseScore(value: unknown): number | undefined {
  const score = numberOf(value)
  return score !== undefined && score >= 0 && score <= 10 ? score : undefined
}
