import { type EntityBase, type ExternalReference, type OptionalFields } from './entity-base.ts'

/**
 * A marking as an object of its own. `name` is what people read (`TLP:CLEAR`); OpenCTI sends no STIX `definition`
 * object (OpenCTI platform, database/stix-2-1-converter.ts, `convertMarkingToStix`).
 */
export interface MarkingDefinition
  extends
    EntityBase<'marking-definition', OptionalFields<{ order: number; color: string }>>,
    OptionalFields<{ created: string; modified: string; name: string; definition_type: string }> {}

/** A label as an object of its own. */
export interface Label extends EntityBase<'label'>, OptionalFields<{ value: string; color: string }> {}

/** A step of a kill chain as an object of its own. */
export interface KillChainPhase
  extends
    EntityBase<'kill-chain-phase'>,
    OptionalFields<{ kill_chain_name: string; phase_name: string; order: number }> {}

/** An external reference as an object of its own. */
export interface ExternalReferenceObject extends EntityBase<'external-reference'>, ExternalReference {}

/** Every object that describes others. */
export type MetaObject = ExternalReferenceObject | KillChainPhase | Label | MarkingDefinition
