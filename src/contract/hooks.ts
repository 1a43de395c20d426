import { type FlushResult } from '../flow/flush-answer.ts'
import { type EntityLink } from '../lookups/platform-knowledge.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type MaybePromise } from '../store/state-store.ts'
import { type EventContext } from './event-context.ts'
import { type Listing } from './reconcile-report.ts'
import { type SnapshotContext, type SnapshotJob } from './snapshot.ts'

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

/**
 * The hooks of a connector. Only `transform` is required; {@link StreamConnector}, which inherits them, calls whatever else is
 * there.
 *
 * @typeParam Item the target's representation of an entity.
 *
 * @example
 * ```ts
 * import { type TargetHooks } from 'opencti-stream-connector'
 *
 * const isBulk = (hooks: TargetHooks<unknown>) => hooks.flush !== undefined
 * console.log(isBulk.length)
 * ```
 */
export abstract class TargetHooks<Item> {
  /**
   * Converts an entity to the target's representation. Return `undefined` if the entity does not belong in
   * the target: the event is skipped, or, if the entity was pushed before, `delete` runs with reason
   * `left-filter`. To leave the target unchanged, throw {@link SkipEvent}.
   *
   * For a target that holds values, return a list of items with a `key` each: see {@link KeyedItem}. Hooks then run once per
   * key: `create` when the first entity claims it, `update` when what all claims together say changes, and `delete` when
   * the last claim is gone.
   *
   * Errors here count as bugs and make the event a dead letter, except network errors, which are retried.
   */
  abstract transform(entity: Entity, context: EventContext): MaybePromise<Item | readonly Item[] | undefined>

  /**
   * Creates an entity in the target. The returned id is stored and passed to later hooks as
   * `context.externalId`. A 409 (already exists) falls back to `update` with the id from `find`, unless
   * `on.createExisting` says otherwise.
   */
  create?(item: Item, context: EventContext): MaybePromise<string | number | void>

  /** Updates an entity in the target. A 404 (the target lost it) falls back to `create`. */
  update?(item: Item, context: EventContext): MaybePromise<string | number | void>

  /**
   * Removes an entity from the target; `context.reason` says why. A 404 for a known id (already gone) counts
   * as success unless `on.deleteMissing` says otherwise. Not called while another entity uses the same id in
   * the target.
   */
  delete?(context: EventContext): MaybePromise<void>

  /**
   * Finds the target's id for an entity without a stored one; return `undefined` if the target lacks it.
   * Implement it if the target assigns ids. Without it, entities created just before a crash or a loss of
   * state cannot be updated or removed: their events become dead letters.
   */
  find?(entity: Entity, context: EventContext): MaybePromise<string | number | undefined>

  /**
   * Makes one item of two that entities claim under the same key. Its result must not depend on the order of the two, nor
   * on how often an item goes in.
   *
   * @default {@link combineItems}: strictest TLP, highest score, latest expiry, all labels
   */
  combine?(one: Item, other: Item): Item

  /**
   * Delivers a batch in place of `create`, `update`, and `delete`. Return one result per operation, in order,
   * or nothing if all succeeded.
   */
  flush?(operations: readonly FlushOperation<Item>[]): MaybePromise<readonly FlushResult[] | void>

  /**
   * Replaces everything this connector has in the target with `items`, for targets that only accept whole
   * lists. `transform` then returns a list of items, each with a `key`, and `create`, `update`, `delete`, and
   * `flush` are not called. The items are sorted by key and read from the state while you iterate; read them
   * to the end, or throw. Called soon after a change, at most once per `snapshot.minIntervalMs`, and never
   * before everything on the platform is known.
   *
   * @returns nothing once the target has the list, or a {@link SnapshotJob} while it is still processing it.
   */
  replaceAll?(items: AsyncIterable<Item>, context: SnapshotContext): MaybePromise<SnapshotJob | void>

  /**
   * Asks the target whether a job returned by `replaceAll` is done. Called until it returns true, even after
   * a restart. If the target abandoned the job, throw `PermanentError`: the list is then sent again.
   */
  jobDone?(job: string, signal: AbortSignal): MaybePromise<boolean>

  /**
   * Lists everything this connector has in the target, in any order: ids, or objects with `externalId` or
   * `stixId`. Lets `reconcile` find entities the target lost, and entities nobody knows. Throw if the
   * list cannot be read completely: anything missing from it counts as lost.
   */
  list?(signal: AbortSignal): MaybePromise<Listing>

  /**
   * Returns where a person can view an entity in the target. The SDK adds it to the platform entity as an
   * external reference, once, after the target accepts the entity. This happens in the background, retries
   * until it succeeds, even across a crash, and its update event is skipped. The token's user must be allowed
   * to update knowledge.
   * @param externalId the target's id for the entity, if known.
   *
   * @example
   * ```ts
   * import { StreamConnector, type Entity } from 'opencti-stream-connector'
   *
   * class Ticketing extends StreamConnector {
   *   transform = (entity: Entity) => entity
   *   override link = (id?: string) => ({ source_name: 'Ticketing', url: `https://tickets.example.org/${id}` })
   * }
   * console.log(Ticketing.name)
   * ```
   */
  link?(externalId: string | undefined, entity: Entity): MaybePromise<EntityLink | undefined>

  /** Checks that the target is reachable and accepts our credentials, before the stream opens. Retried. */
  check?(signal: AbortSignal): MaybePromise<void>

  /**
   * Opens resources the hooks use. Runs before any other hook: once, or again and again while it fails because the target does
   * not answer or refuses the credentials. Other errors stop the start.
   *
   * A copy of the connector that waits while another one leads opens nothing yet. One that led before, and lost
   * the lease of the state, calls {@link close} at once, and `open` again when it leads again.
   */
  open?(): MaybePromise<void>

  /**
   * Returns the newest `context.safePosition` this connector stored in the target together with its effects,
   * or `undefined` if there is none. The stream resumes there regardless of the state file, unless someone
   * reset the connector. Use it for exactly-once effects: see the delivery guide. Called after {@link open}
   * and retried until it succeeds.
   */
  loadPosition?(signal: AbortSignal): MaybePromise<string | undefined>

  /**
   * Closes what {@link open} opened. Runs once, after everything else; also when another copy of the connector
   * has taken over, and then {@link open} may follow.
   */
  close?(): MaybePromise<void>
}

/** The hooks as the SDK calls them. */
export type ConnectorHooks = TargetHooks<unknown>
