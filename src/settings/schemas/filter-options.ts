import { z } from 'zod'
import { type Entity } from '../../stix/types/entity.ts'
import { type Tlp, tlpNames, tlpRankOfText } from '../../stix/read/tlp.ts'
import { settingNotes } from './setting-notes.ts'

/** Which labels an entity must carry. */
export interface LabelFilterOptions {
  /** At least one of these; empty for no such demand. Environment: `CONNECTOR_FILTER_LABELS_ANY`. */
  any?: readonly string[] | undefined
  /** Each of these. Environment: `CONNECTOR_FILTER_LABELS_ALL`. */
  all?: readonly string[] | undefined
  /** None of these. Environment: `CONNECTOR_FILTER_LABELS_NONE`. */
  none?: readonly string[] | undefined
}

/**
 * Which entities reach the hooks; the others are skipped and counted with the reason. Everything that is named must
 * hold. A filter never hides the delete of something that was pushed.
 */
export interface FilterOptions {
  /**
   * STIX types (`indicator`), OpenCTI types (`IPv4-Addr`, `Sector`, `indicates`) or groups (`Stix-Cyber-Observable`,
   * `Stix-Domain-Object`, `Stix-Core-Relationship`, `Container`, `Case` …; in short `observable`, `domain-object`,
   * `relationship`, `container`, `meta-object`), in any case; empty for all. Environment: `CONNECTOR_FILTER_TYPES`.
   */
  types?: readonly string[] | undefined
  /** Of indicators, these pattern types, such as `stix`; empty for all. Environment: `CONNECTOR_FILTER_PATTERN_TYPES`. */
  patternTypes?: readonly string[] | undefined
  /**
   * Of indicators, these main observable types, such as `IPv4-Addr` or `File`; empty for all. Where an indicator does not
   * tell its own, its values and its pattern do; `Unknown` is for those of which nothing tells it.
   * Environment: `CONNECTOR_FILTER_OBSERVABLE_TYPES`.
   */
  observableTypes?: readonly string[] | undefined
  /** Labels to have or not to have. */
  labels?: LabelFilterOptions | undefined
  /**
   * The strictest marking that passes; absent for any. An entity without a TLP marking is `TLP:CLEAR`; one with a marking
   * that is not known is kept back, see `unknownMarkings`. Environment: `CONNECTOR_FILTER_MAX_TLP`.
   */
  maxTlp?: Tlp | undefined
  /** The most open marking that passes; absent for any. Environment: `CONNECTOR_FILTER_MIN_TLP`. */
  minTlp?: Tlp | undefined
  /**
   * What `maxTlp`, and `tlp` of a route, make of an entity with a marking that is no TLP or cannot be read, and that may be
   * stricter than any: `exclude` keeps it back, `include` goes by its TLP markings alone. Beside a TLP marking, one of the
   * Permissible Actions Protocol (`PAP:…`) is no such marking. Default `exclude`.
   * Environment: `CONNECTOR_FILTER_UNKNOWN_MARKINGS`.
   */
  unknownMarkings?: 'exclude' | 'include' | undefined
  /** Least score, 0–100; absent for any. Environment: `CONNECTOR_FILTER_MIN_SCORE`. */
  minScore?: number | undefined
  /** Least confidence, 0–100; absent for any. Environment: `CONNECTOR_FILTER_MIN_CONFIDENCE`. */
  minConfidence?: number | undefined
  /**
   * Ids of authors, STIX ids (`created_by_ref`) or those of the platform; empty for all.
   * Environment: `CONNECTOR_FILTER_AUTHORS`.
   */
  authors?: readonly string[] | undefined
  /**
   * What becomes of revoked entities. With `only`, an indicator that is revoked is delivered and not withdrawn, whatever
   * `on.revoked` and `on.expired` say. Default `include`. Environment: `CONNECTOR_FILTER_REVOKED`.
   */
  revoked?: 'include' | 'exclude' | 'only' | undefined
  /** What becomes of inferred entities. Default `include`. Environment: `CONNECTOR_FILTER_INFERRED`. */
  inferred?: 'include' | 'exclude' | 'only' | undefined
  /**
   * Greatest age of an entity in milliseconds, at least 1; absent for any.
   * Environment: `CONNECTOR_FILTER_MAX_AGE_MS`.
   */
  maxAgeMs?: number | undefined
  /** Anything else, in code only: `true` lets the entity pass. */
  where?: ((entity: Entity) => boolean) | undefined
}

/** {@link FilterOptions} with every default filled in. */
export interface ResolvedFilterOptions {
  readonly types: readonly string[]
  readonly patternTypes: readonly string[]
  readonly observableTypes: readonly string[]
  readonly labels: {
    readonly any: readonly string[]
    readonly all: readonly string[]
    readonly none: readonly string[]
  }
  readonly maxTlp?: Tlp | undefined
  readonly minTlp?: Tlp | undefined
  readonly unknownMarkings: 'exclude' | 'include'
  readonly minScore?: number | undefined
  readonly minConfidence?: number | undefined
  readonly authors: readonly string[]
  readonly revoked: 'include' | 'exclude' | 'only'
  readonly inferred: 'include' | 'exclude' | 'only'
  readonly maxAgeMs?: number | undefined
  readonly where?: ((entity: Entity) => boolean) | undefined
}

/** A fresh schema each time: notes and descriptions belong to one field. */
const names = (description: string) => z.array(z.string()).readonly().default([]).describe(description)
const tlp = (description: string) =>
  z.enum(tlpNames).register(settingNotes, { fromText: tlpOfText }).optional().describe(description)
const percentage = (description: string) => z.number().min(0).max(100).optional().describe(description)
const inclusion = (description: string) =>
  z.enum(['include', 'exclude', 'only']).default('include').describe(description)

/** @internal */
export const filterSchema = z
  .strictObject({
    types: names(
      'Types that reach the hooks: STIX types such as indicator, OpenCTI types such as IPv4-Addr, or groups such as Stix-Cyber-Observable.',
    ),
    patternTypes: names('Of indicators, the pattern types that pass.'),
    observableTypes: names('Of indicators, the main observable types that pass, such as IPv4-Addr.'),
    labels: z
      .strictObject({
        any: names('Labels of which an entity needs one.'),
        all: names('Labels of which an entity needs each.'),
        none: names('Labels that keep an entity out.'),
      })
      .prefault({}),
    maxTlp: tlp('The strictest marking that passes.'),
    minTlp: tlp('The most open marking that passes.'),
    unknownMarkings: z
      .enum(['exclude', 'include'])
      .default('exclude')
      .describe(
        'What CONNECTOR_FILTER_MAX_TLP makes of an entity with a marking that is no TLP or cannot be read; include goes by its TLP alone.',
      ),
    minScore: percentage('Least score that passes.'),
    minConfidence: percentage('Least confidence that passes.'),
    authors: names('Ids of the authors that pass, STIX ids or those of the platform.'),
    revoked: inclusion('What becomes of revoked entities.'),
    inferred: inclusion('What becomes of inferred entities.'),
    maxAgeMs: z.number().min(1).optional().describe('Greatest age of an entity, in milliseconds.'),
    where: z
      .custom<(entity: Entity) => boolean>((value) => typeof value === 'function', 'must be a function')
      .optional()
      .register(settingNotes, { inCodeOnly: true }),
  })
  .refine(
    ({ minTlp = 'TLP:CLEAR', maxTlp = 'TLP:RED' }) => tlpNames.indexOf(minTlp) <= tlpNames.indexOf(maxTlp),
    {
      path: ['minTlp'],
      error: 'must not be stricter than CONNECTOR_FILTER_MAX_TLP',
    },
  )

/** The marking that a text means: any case, with or without `TLP:`, the old name WHITE too. */
export function tlpOfText(text: string): unknown {
  const rank = tlpRankOfText(text, true)
  return rank === undefined ? text : tlpNames[rank]
}
