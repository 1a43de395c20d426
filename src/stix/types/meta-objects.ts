import { type EntityBase, type ExternalReference, type OptionalFields } from './entity-base.ts'

/**
 * A marking object. `name` is the display name (`TLP:CLEAR`). OpenCTI sends no STIX `definition` object
 * (OpenCTI platform, database/stix-2-1-converter.ts, `convertMarkingToStix`).
 */
export interface MarkingDefinition
  extends
    EntityBase<'marking-definition', OptionalFields<{ order: number; color: string }>>,
    OptionalFields<{ created: string; modified: string; name: string; definition_type: string }> {}

/** A label object. */
export interface Label extends EntityBase<'label'>, OptionalFields<{ value: string; color: string }> {}

/** A kill chain phase object. */
export interface KillChainPhase
  extends
    EntityBase<'kill-chain-phase'>,
    OptionalFields<{ kill_chain_name: string; phase_name: string; order: number }> {}

/** An external reference object. */
export interface ExternalReferenceObject extends EntityBase<'external-reference'>, ExternalReference {}

/** Objects that describe others. */
export type MetaObject = ExternalReferenceObject | KillChainPhase | Label | MarkingDefinition
