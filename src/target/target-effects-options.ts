import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { type PushedEntities } from '../id-map/pushed-entities.ts'
import { type ClaimedItems } from '../items/claimed-items.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Logger } from '../util/logger.ts'

/** Options of `EntityEffects` and `TargetEffects`. */
export interface TargetEffectsOptions {
  readonly hooks: ConnectorHooks
  readonly delivery: DeliveryOptions
  readonly logger: Logger
  readonly checkpointer: Pick<Checkpointer, 'writtenSafe' | 'hurry'>
  /** What is known about the entities in the target. */
  readonly idMap: TargetKnowledge
  /** The features to ask and tell, in this order, including the id map. */
  readonly features: readonly DeliveryFeature[]
  /** Knows the items of entities. @default entities have no items */
  readonly items?: ClaimedItems | undefined
}

/** What is known about an entity or an item in the target. */
export type TargetKnowledge = Pick<
  PushedEntities,
  'targetIds' | 'isSurelyUnknown' | 'mayHavePushed' | 'isShared'
>
