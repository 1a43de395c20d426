// Generated from the schemas by `npm run generate`. Edit those instead.

import { type Entity } from '../../stix/types/entity.ts'
import { type Tlp } from '../../stix/read/tlp.ts'

/** Required and excluded labels. */
export interface LabelFilterOptions {
  /**
   * Require at least one of these labels. Environment: `CONNECTOR_FILTER_LABELS_ANY`.
   * @default []
   */
  any?: readonly string[] | undefined
  /**
   * Require all of these labels. Environment: `CONNECTOR_FILTER_LABELS_ALL`.
   * @default []
   */
  all?: readonly string[] | undefined
  /**
   * Exclude entities with any of these labels. Environment: `CONNECTOR_FILTER_LABELS_NONE`.
   * @default []
   */
  none?: readonly string[] | undefined
}

/**
 * Which entities reach the hooks. Others are skipped and counted by reason. All conditions must hold. A filter
 * never hides the delete of an entity that was pushed.
 */
export interface FilterOptions {
  /**
   * Entity types to deliver: STIX types such as indicator, OpenCTI types such as IPv4-Addr, or groups such as
   * Stix-Cyber-Observable. More groups: `Stix-Domain-Object`, `Stix-Core-Relationship`, `Container`, `Case` …;
   * short forms: `observable`, `domain-object`, `relationship`, `container`, `meta-object`. Case-insensitive; empty
   * for all. Environment: `CONNECTOR_FILTER_TYPES`.
   * @default []
   */
  types?: readonly string[] | undefined
  /**
   * Pattern types of indicators to deliver. For example `stix`; empty for all.
   * Environment: `CONNECTOR_FILTER_PATTERN_TYPES`.
   * @default []
   */
  patternTypes?: readonly string[] | undefined
  /**
   * Main observable types of indicators to deliver, such as IPv4-Addr. Empty for all. If an indicator does not
   * declare the type, its values and its pattern decide; `Unknown` matches indicators whose type cannot be
   * determined. Environment: `CONNECTOR_FILTER_OBSERVABLE_TYPES`.
   * @default []
   */
  observableTypes?: readonly string[] | undefined
  /** Required and excluded labels. */
  labels?: LabelFilterOptions | undefined
  /**
   * Deliver entities up to this TLP marking. Unset: any. An entity without a TLP marking counts as `TLP:CLEAR`; one
   * with an unknown marking is excluded, see `unknownMarkings`. Environment: `CONNECTOR_FILTER_MAX_TLP`.
   */
  maxTlp?: Tlp | undefined
  /** Deliver entities from this TLP marking up. Unset: any. Environment: `CONNECTOR_FILTER_MIN_TLP`. */
  minTlp?: Tlp | undefined
  /**
   * Whether `maxTlp` excludes entities with a non-TLP or unreadable marking; include looks at the TLP marking only.
   * Also applies to a route’s `tlp`. `exclude` is the safe choice: the unknown marking may be stricter than any.
   * Next to a TLP marking, a Permissible Actions Protocol marking (`PAP:…`) does not count as unknown.
   * Environment: `CONNECTOR_FILTER_UNKNOWN_MARKINGS`.
   * @default 'exclude'
   */
  unknownMarkings?: 'exclude' | 'include' | undefined
  /** Minimum score. Unset: any. A number from 0 to 100. Environment: `CONNECTOR_FILTER_MIN_SCORE`. */
  minScore?: number | undefined
  /** Minimum confidence. Unset: any. A number from 0 to 100. Environment: `CONNECTOR_FILTER_MIN_CONFIDENCE`. */
  minConfidence?: number | undefined
  /**
   * Ids of the authors whose entities to deliver; STIX or OpenCTI ids. The author of an entity is its
   * `created_by_ref`. Empty for all. Environment: `CONNECTOR_FILTER_AUTHORS`.
   * @default []
   */
  authors?: readonly string[] | undefined
  /**
   * Whether to deliver revoked entities. With `only`, a revoked indicator is delivered instead of removed, whatever
   * `on.revoked` and `on.expired` say. Environment: `CONNECTOR_FILTER_REVOKED`.
   * @default 'include'
   */
  revoked?: 'include' | 'exclude' | 'only' | undefined
  /**
   * Whether to deliver inferred entities. Environment: `CONNECTOR_FILTER_INFERRED`.
   * @default 'include'
   */
  inferred?: 'include' | 'exclude' | 'only' | undefined
  /**
   * Maximum age of an entity, in milliseconds. Unset: any. A number, at least 1.
   * Environment: `CONNECTOR_FILTER_MAX_AGE_MS`.
   */
  maxAgeMs?: number | undefined
  /** Custom condition, in code only; return `true` to deliver the entity. */
  where?: ((entity: Entity) => boolean) | undefined
}

/** `FilterOptions` with all defaults applied. */
export interface ResolvedFilterOptions {
  /**
   * Entity types to deliver: STIX types such as indicator, OpenCTI types such as IPv4-Addr, or groups such as
   * Stix-Cyber-Observable. More groups: `Stix-Domain-Object`, `Stix-Core-Relationship`, `Container`, `Case` …;
   * short forms: `observable`, `domain-object`, `relationship`, `container`, `meta-object`. Case-insensitive; empty
   * for all.
   */
  readonly types: readonly string[]
  /** Pattern types of indicators to deliver. For example `stix`; empty for all. */
  readonly patternTypes: readonly string[]
  /**
   * Main observable types of indicators to deliver, such as IPv4-Addr. Empty for all. If an indicator does not
   * declare the type, its values and its pattern decide; `Unknown` matches indicators whose type cannot be
   * determined.
   */
  readonly observableTypes: readonly string[]
  /** Required and excluded labels. */
  readonly labels: {
    /** Require at least one of these labels. */
    readonly any: readonly string[]
    /** Require all of these labels. */
    readonly all: readonly string[]
    /** Exclude entities with any of these labels. */
    readonly none: readonly string[]
  }
  /**
   * Deliver entities up to this TLP marking. Unset: any. An entity without a TLP marking counts as `TLP:CLEAR`; one
   * with an unknown marking is excluded, see `unknownMarkings`.
   */
  readonly maxTlp?: Tlp | undefined
  /** Deliver entities from this TLP marking up. Unset: any. */
  readonly minTlp?: Tlp | undefined
  /**
   * Whether `maxTlp` excludes entities with a non-TLP or unreadable marking; include looks at the TLP marking only.
   * Also applies to a route’s `tlp`. `exclude` is the safe choice: the unknown marking may be stricter than any.
   * Next to a TLP marking, a Permissible Actions Protocol marking (`PAP:…`) does not count as unknown.
   */
  readonly unknownMarkings: 'exclude' | 'include'
  /** Minimum score. Unset: any. */
  readonly minScore?: number | undefined
  /** Minimum confidence. Unset: any. */
  readonly minConfidence?: number | undefined
  /**
   * Ids of the authors whose entities to deliver; STIX or OpenCTI ids. The author of an entity is its
   * `created_by_ref`. Empty for all.
   */
  readonly authors: readonly string[]
  /**
   * Whether to deliver revoked entities. With `only`, a revoked indicator is delivered instead of removed, whatever
   * `on.revoked` and `on.expired` say.
   */
  readonly revoked: 'include' | 'exclude' | 'only'
  /** Whether to deliver inferred entities. */
  readonly inferred: 'include' | 'exclude' | 'only'
  /** Maximum age of an entity, in milliseconds. Unset: any. */
  readonly maxAgeMs?: number | undefined
  /** Custom condition, in code only; return `true` to deliver the entity. */
  readonly where?: ((entity: Entity) => boolean) | undefined
}
