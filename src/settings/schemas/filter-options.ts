// Written from the schemas by `npm run generate`: change those.

import { type Entity } from '../../stix/types/entity.ts'
import { type Tlp } from '../../stix/read/tlp.ts'

/** Labels to have or not to have. */
export interface LabelFilterOptions {
  /**
   * Labels of which an entity needs one. Environment: `CONNECTOR_FILTER_LABELS_ANY`.
   * @default []
   */
  any?: readonly string[] | undefined
  /**
   * Labels of which an entity needs each. Environment: `CONNECTOR_FILTER_LABELS_ALL`.
   * @default []
   */
  all?: readonly string[] | undefined
  /**
   * Labels that keep an entity out. Environment: `CONNECTOR_FILTER_LABELS_NONE`.
   * @default []
   */
  none?: readonly string[] | undefined
}

/**
 * Which entities reach the hooks; the others are skipped and counted with the reason. Everything that is named
 * must hold. A filter never hides the delete of something that was pushed.
 */
export interface FilterOptions {
  /**
   * Types that reach the hooks: STIX types such as indicator, OpenCTI types such as IPv4-Addr, or groups such as
   * Stix-Cyber-Observable. More groups: `Stix-Domain-Object`, `Stix-Core-Relationship`, `Container`, `Case` …; in
   * short `observable`, `domain-object`, `relationship`, `container`, `meta-object`. Any case; empty for all.
   * Environment: `CONNECTOR_FILTER_TYPES`.
   * @default []
   */
  types?: readonly string[] | undefined
  /**
   * Of indicators, the pattern types that pass. Such as `stix`; empty for all.
   * Environment: `CONNECTOR_FILTER_PATTERN_TYPES`.
   * @default []
   */
  patternTypes?: readonly string[] | undefined
  /**
   * Of indicators, the main observable types that pass, such as IPv4-Addr. Empty for all. Where an indicator does
   * not tell its own, its values and its pattern do; `Unknown` is for those of which nothing tells it.
   * Environment: `CONNECTOR_FILTER_OBSERVABLE_TYPES`.
   * @default []
   */
  observableTypes?: readonly string[] | undefined
  /** Labels to have or not to have. */
  labels?: LabelFilterOptions | undefined
  /**
   * The strictest marking that passes. Absent: any. An entity without a TLP marking is `TLP:CLEAR`; one with an
   * unknown marking is kept back, see `unknownMarkings`. Environment: `CONNECTOR_FILTER_MAX_TLP`.
   */
  maxTlp?: Tlp | undefined
  /** The most open marking that passes. Absent: any. Environment: `CONNECTOR_FILTER_MIN_TLP`. */
  minTlp?: Tlp | undefined
  /**
   * What `maxTlp` makes of an entity with a marking that is no TLP or cannot be read; include goes by its TLP
   * alone. The same holds for `tlp` of a route. `exclude` keeps the entity back, since its marking may be stricter
   * than any. Beside a TLP marking, one of the Permissible Actions Protocol (`PAP:…`) is no such marking.
   * Environment: `CONNECTOR_FILTER_UNKNOWN_MARKINGS`.
   * @default 'exclude'
   */
  unknownMarkings?: 'exclude' | 'include' | undefined
  /** Least score that passes. Absent: any. A number from 0 to 100. Environment: `CONNECTOR_FILTER_MIN_SCORE`. */
  minScore?: number | undefined
  /**
   * Least confidence that passes. Absent: any. A number from 0 to 100.
   * Environment: `CONNECTOR_FILTER_MIN_CONFIDENCE`.
   */
  minConfidence?: number | undefined
  /**
   * Ids of the authors that pass, STIX ids or those of the platform. The author of an entity is its
   * `created_by_ref`. Empty for all. Environment: `CONNECTOR_FILTER_AUTHORS`.
   * @default []
   */
  authors?: readonly string[] | undefined
  /**
   * What becomes of revoked entities. With `only`, an indicator that is revoked is delivered and not withdrawn,
   * whatever `on.revoked` and `on.expired` say. Environment: `CONNECTOR_FILTER_REVOKED`.
   * @default 'include'
   */
  revoked?: 'include' | 'exclude' | 'only' | undefined
  /**
   * What becomes of inferred entities. Environment: `CONNECTOR_FILTER_INFERRED`.
   * @default 'include'
   */
  inferred?: 'include' | 'exclude' | 'only' | undefined
  /**
   * Greatest age of an entity, in milliseconds. Absent: any. A number, at least 1.
   * Environment: `CONNECTOR_FILTER_MAX_AGE_MS`.
   */
  maxAgeMs?: number | undefined
  /** Anything else, in code only: `true` lets the entity pass. */
  where?: ((entity: Entity) => boolean) | undefined
}

/** `FilterOptions` with every default filled in. */
export interface ResolvedFilterOptions {
  /**
   * Types that reach the hooks: STIX types such as indicator, OpenCTI types such as IPv4-Addr, or groups such as
   * Stix-Cyber-Observable. More groups: `Stix-Domain-Object`, `Stix-Core-Relationship`, `Container`, `Case` …; in
   * short `observable`, `domain-object`, `relationship`, `container`, `meta-object`. Any case; empty for all.
   */
  readonly types: readonly string[]
  /** Of indicators, the pattern types that pass. Such as `stix`; empty for all. */
  readonly patternTypes: readonly string[]
  /**
   * Of indicators, the main observable types that pass, such as IPv4-Addr. Empty for all. Where an indicator does
   * not tell its own, its values and its pattern do; `Unknown` is for those of which nothing tells it.
   */
  readonly observableTypes: readonly string[]
  /** Labels to have or not to have. */
  readonly labels: {
    /** Labels of which an entity needs one. */
    readonly any: readonly string[]
    /** Labels of which an entity needs each. */
    readonly all: readonly string[]
    /** Labels that keep an entity out. */
    readonly none: readonly string[]
  }
  /**
   * The strictest marking that passes. Absent: any. An entity without a TLP marking is `TLP:CLEAR`; one with an
   * unknown marking is kept back, see `unknownMarkings`.
   */
  readonly maxTlp?: Tlp | undefined
  /** The most open marking that passes. Absent: any. */
  readonly minTlp?: Tlp | undefined
  /**
   * What `maxTlp` makes of an entity with a marking that is no TLP or cannot be read; include goes by its TLP
   * alone. The same holds for `tlp` of a route. `exclude` keeps the entity back, since its marking may be stricter
   * than any. Beside a TLP marking, one of the Permissible Actions Protocol (`PAP:…`) is no such marking.
   */
  readonly unknownMarkings: 'exclude' | 'include'
  /** Least score that passes. Absent: any. */
  readonly minScore?: number | undefined
  /** Least confidence that passes. Absent: any. */
  readonly minConfidence?: number | undefined
  /**
   * Ids of the authors that pass, STIX ids or those of the platform. The author of an entity is its
   * `created_by_ref`. Empty for all.
   */
  readonly authors: readonly string[]
  /**
   * What becomes of revoked entities. With `only`, an indicator that is revoked is delivered and not withdrawn,
   * whatever `on.revoked` and `on.expired` say.
   */
  readonly revoked: 'include' | 'exclude' | 'only'
  /** What becomes of inferred entities. */
  readonly inferred: 'include' | 'exclude' | 'only'
  /** Greatest age of an entity, in milliseconds. Absent: any. */
  readonly maxAgeMs?: number | undefined
  /** Anything else, in code only: `true` lets the entity pass. */
  readonly where?: ((entity: Entity) => boolean) | undefined
}
