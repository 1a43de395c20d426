import { type FlushResult } from '../flow/flush-answer.ts'
import { type EntityLink } from '../lookups/platform-knowledge.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type MaybePromise } from '../store/state-store.ts'
import { type EventContext } from './event-context.ts'
import { type Listing } from './reconcile-report.ts'

/**
 * One operation of a batch passed to `flush`. A `create` or `update` has an `item`, the result of
 * `transform`.
 *
 * @example
 * ```ts
 * import { type FlushOperation } from 'opencti-stream-connector'
 *
 * const lines = (operations: readonly FlushOperation<{ name: string }>[]) =>
 *   operations.map((operation) => {
 *     const { entityId } = operation.context
 *     return operation.kind === 'delete' ? `- ${entityId}` : `+ ${entityId} ${operation.item.name}`
 *   })
 * console.log(lines([]).length)
 * ```
 */
export type FlushOperation<Item> =
  | { readonly kind: 'create' | 'update'; readonly item: Item; readonly context: EventContext }
  | { readonly kind: 'delete'; readonly item: undefined; readonly context: EventContext }

/** The hooks an author can implement; documented on `StreamConnector`. */
export interface Hooks<Item> {
  transform(entity: Entity, context: EventContext): MaybePromise<Item | undefined>
  create?(item: Item, context: EventContext): MaybePromise<string | number | void>
  update?(item: Item, context: EventContext): MaybePromise<string | number | void>
  delete?(context: EventContext): MaybePromise<void>
  find?(entity: Entity, context: EventContext): MaybePromise<string | number | undefined>
  flush?(operations: readonly FlushOperation<Item>[]): MaybePromise<readonly FlushResult[] | void>
}

/** Every method the SDK calls on a connector class. */
export interface ConnectorHooks extends Hooks<unknown> {
  check?(signal: AbortSignal): MaybePromise<void>
  open?(): MaybePromise<void>
  close?(): MaybePromise<void>
  list?(signal: AbortSignal): MaybePromise<Listing>
  loadPosition?(signal: AbortSignal): MaybePromise<string | undefined>
  link?(externalId: string | undefined, entity: Entity): MaybePromise<EntityLink | undefined>
}
