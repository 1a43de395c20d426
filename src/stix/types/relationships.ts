import { type DomainObjectBase, type KillChainStep, type OptionalFields } from './entity-base.ts'

/**
 * A relationship between two objects. The references at the top level are STIX ids; those in the OpenCTI
 * extension are OpenCTI ids. `source_value` and `target_value` there are the display names of the two ends
 * (OpenCTI platform, database/stix-2-1-converter.ts, `convertRelationToStix`).
 */
export interface Relationship
  extends
    DomainObjectBase<
      'relationship',
      OptionalFields<{
        source_value: string
        source_ref: string
        source_type: string
        source_ref_object_marking_refs: readonly string[]
        source_ref_granted_refs: readonly string[]
        target_value: string
        target_ref: string
        target_type: string
        target_ref_object_marking_refs: readonly string[]
        target_ref_granted_refs: readonly string[]
        kill_chain_phases: readonly KillChainStep[]
      }>
    >,
    OptionalFields<{ description: string; start_time: string; stop_time: string }> {
  readonly relationship_type: string
  readonly source_ref: string
  readonly target_ref: string
}

/**
 * A sighting. `where_sighted_refs` always holds one id; `observed_data_refs` is never sent (OpenCTI platform,
 * database/stix-2-1-converter.ts, `convertSightingToStix`).
 */
export interface Sighting
  extends
    DomainObjectBase<
      'sighting',
      OptionalFields<{
        sighting_of_value: string
        sighting_of_ref: string
        sighting_of_type: string
        sighting_of_ref_object_marking_refs: readonly string[]
        sighting_of_ref_granted_refs: readonly string[]
        where_sighted_values: readonly string[]
        where_sighted_refs: readonly string[]
        where_sighted_types: readonly string[]
        where_sighted_refs_object_marking_refs: readonly string[]
        where_sighted_refs_granted_refs: readonly string[]
        negative: boolean
      }>
    >,
    OptionalFields<{
      description: string
      first_seen: string
      last_seen: string
      count: number
      summary: boolean
      where_sighted_refs: readonly string[]
      observed_data_refs: readonly string[]
    }> {
  readonly sighting_of_ref: string
}

/** Objects that connect others. */
export type RelationshipObject = Relationship | Sighting
