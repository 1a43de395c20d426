import { type Verdict } from '../errors/verdict.ts'
import { type Outcome } from './event-counters.ts'
import { type DeleteReason, Operation } from './operation.ts'
import { worse } from './pending-event.ts'
import { shortened } from '../util/shortened.ts'

/** Maximum number of items of an entity in flight at a time: an entity can have a hundred thousand. */
const maxUnderWay = 1000

/** Maximum number of characters of a key in an error. */
const maxShownCharacters = 200

/** What an event changes about an entity's claim on a key. */
export interface ItemChange {
  /** The item's key as the author returned it. */
  readonly name: string
  /** The same with the name of the route, as stored in the state. */
  readonly key: string
  /** The claim before and after, as JSON text; undefined for none. */
  readonly before: string | undefined
  readonly after: string | undefined
}

/** An event's effect on one item, in the lane of that item's key. */
export class ItemOperation extends Operation {
  readonly work: ItemWork
  readonly change: ItemChange
  /** Why to withdraw the item if nobody else claims it. */
  readonly deleteReason: DeleteReason | undefined
  /** All claims on the key combined, as JSON text, at its turn; undefined if there are none. */
  combined: string | undefined
  /** The same as passed to the hook. */
  item: unknown
  /** Whether its change was recorded before it reaches the target. */
  isAnnounced = false

  constructor(work: ItemWork, change: ItemChange) {
    const { pendingEvent, entity, kind, reason, route, origin } = work.operation
    const isGone = change.after === undefined
    super(isGone ? 'delete' : 'update', pendingEvent, entity, itemLaneOf(change.key), undefined, [], route)
    this.origin = origin
    this.work = work
    this.change = change
    this.deleteReason = kind === 'delete' ? reason : 'changed'
  }

  override get itemKey(): string {
    return this.change.name
  }

  /** Failures of several items of an entity count as failures of that one entity. */
  override get entityKey(): string {
    return this.work.operation.entityKey
  }

  override finish(outcome: Outcome): void {
    this.work.ended(outcome)
  }
}

/** The lane of an item. @param key as stored in the state. */
export function itemLaneOf(key: string): string {
  return `item:${key}`
}

/** An entity's operation that affects items: it ends when all of them have. */
export class ItemWork {
  readonly operation: Operation
  /** Whether the entity has any items once all of this is done. */
  readonly leavesItems: boolean
  #changes: readonly ItemChange[]
  #begun = 0
  #ended = 0
  #outcome: Outcome
  #failed = 0
  #verdict: Verdict | undefined
  #isCancelled = false
  /** The largest number of attempts for one of its items. */
  attempts = 0
  /**
   * Whether something other than the event may be why items failed: nothing was delivered since others were
   * refused, too.
   */
  isSuspect = false

  /** @param outcome the operation's outcome if there are no changes. */
  constructor(
    operation: Operation,
    changes: readonly ItemChange[],
    leavesItems: boolean,
    outcome: Outcome = unchanged,
  ) {
    this.#outcome = outcome
    this.operation = operation
    this.#changes = changes
    this.leavesItems = leavesItems
  }

  /** Whether nothing is left to do. */
  get isOver(): boolean {
    return this.#ended === this.#begun && this.#begun === this.#changes.length
  }

  /** Whether someone has reset the connector in the meantime. */
  get isCancelled(): boolean {
    return this.#isCancelled
  }

  /** The worst outcome of an item. */
  get outcome(): Outcome {
    return this.#outcome
  }

  /** Why items could not be delivered: how many, and the first of them; undefined if all could. */
  get failure(): Verdict | undefined {
    const verdict = this.#verdict
    if (verdict === undefined || this.#changes.length === 1) return verdict
    return {
      ...verdict,
      reason: `${this.#failed} of ${this.#changes.length} items failed. ${verdict.reason}`,
    }
  }

  /** The next items that may start. */
  *next(): Iterable<ItemOperation> {
    while (this.#begun < this.#changes.length && this.#begun - this.#ended < maxUnderWay) {
      yield new ItemOperation(this, this.#changes[this.#begun++]!)
    }
  }

  /** Starts nothing more: someone has reset the connector. */
  cancel(): void {
    this.#isCancelled = true
    this.#changes = this.#changes.slice(0, this.#begun)
  }

  /** An item has ended. */
  ended(outcome: Outcome): void {
    this.#ended++
    this.#outcome = worse(this.#outcome, outcome)
  }

  /** The target refused to create this item, so it does not have it. */
  readonly refused: ItemChange[] = []

  /** An item failed permanently. */
  failed({ itemKey, kind, change, attempts }: ItemOperation, verdict: Verdict, isSuspect: boolean): void {
    if (kind === 'create' && verdict.kind === 'reject') this.refused.push(change)
    this.#verdict ??= { ...verdict, reason: `${shortened(itemKey, maxShownCharacters)}: ${verdict.reason}` }
    this.#failed++
    this.attempts = Math.max(this.attempts, attempts.count)
    this.isSuspect ||= isSuspect
  }
}

/** Outcome of an item that the target already has as it should, and of an event that changes no item. */
export const unchanged: Outcome = { kind: 'skipped', reason: 'unchanged' }
