import { type StateError } from '../errors/state-error.ts'

/** A value or a promise of one: in-process stores answer synchronously, others cannot. */
export type MaybePromise<T> = T | Promise<T>

/** What is remembered about an entity that was pushed to the target. */
export interface EntityRecord {
  /**
   * OpenCTI id, which never changes, or the STIX id if the platform sent no OpenCTI id; followed by `@` and
   * the route if there is one.
   */
  readonly key: string
  /** Route it was pushed through. Undefined if there was none. */
  readonly route?: string | undefined
  /** STIX id when it was last pushed. */
  readonly stixId: string
  /**
   * Id returned by `create` or `find`. Undefined if the target needs no separate id; empty if it has an
   * unknown one.
   */
  readonly externalId?: string | undefined
  /** Position of the newest delivered event, `<ms>-<seq>`. Undefined if that event had none. */
  readonly position?: string | undefined
  /**
   * `updated_at` of the state from a catch-up, in milliseconds since 1970. Undefined if an event delivered
   * the newest state. On a different clock than {@link position}.
   */
  readonly caughtUpMs?: number | undefined
  /** When to withdraw it, in milliseconds since 1970. Undefined for never. */
  readonly expiresAtMs?: number | undefined
}

/** An entity has an item under this key. The target must hold the item while any entity claims it. */
export interface Claim {
  /** The key of the entity, as in {@link EntityRecord}. */
  readonly entity: string
  /** The item's key, followed by `@` and the route if there is one. */
  readonly key: string
  /** The entity's item as JSON text. */
  readonly item: string
}

/** What the target has under a key. */
export interface ItemRecord {
  /** As in {@link Claim}. */
  readonly key: string
  /** The target's id for it. Undefined if the target assigns none. */
  readonly externalId?: string | undefined
  /** What the target last received, as JSON text: all claims on the key, combined. */
  readonly item: string
}

/** The claim after which a page begins, by key, then entity. */
export type ClaimPlace = Pick<Claim, 'key' | 'entity'>

/** An event that could not be delivered, before it is stored. */
export interface NewDeadLetter {
  /** Entity key, as in {@link EntityRecord}. Undefined if the event was unreadable. */
  readonly key?: string | undefined
  /** Route on which it failed. Undefined if there was none, or it failed before reaching one. */
  readonly route?: string | undefined
  /** `create`, `update`, `delete`, `merge`, or the frame's own event name. */
  readonly eventType: string
  readonly entityId?: string | undefined
  readonly entityType?: string | undefined
  /** Position of the event, `<ms>-<seq>`. */
  readonly position?: string | undefined
  readonly attempts: number
  /** Times of the first and last failure, in milliseconds since 1970. */
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** What went wrong, with secrets redacted. */
  readonly error: string
  /** The message as received: JSON of the envelope, or the raw unreadable text. */
  readonly data: string
}

/** A stored dead letter. */
export interface DeadLetter extends NewDeadLetter {
  /** Counts up from 1; never reused. */
  readonly id: number
  /** Whether someone requested a retry; `forced` also overrides newer entity state. */
  readonly replay?: 'requested' | 'forced' | undefined
  /**
   * Position of a newer event of its entity that has ended since and is not in the id map, such as a delete.
   */
  readonly outdatedBy?: string | undefined
}

/** What a retry changed about a dead letter that stays. */
export interface DeadLetterUpdate {
  readonly id: number
  readonly attempts: number
  readonly lastAtMs: number
  readonly error: string
  /** The request this answers, which is removed; a different request made since stays. */
  readonly answered?: DeadLetter['replay']
}

/** Changes that become durable together or not at all. */
export interface StateChanges {
  /** Small named values; `undefined` removes one. */
  readonly values?: ReadonlyMap<string, string | undefined> | undefined
  readonly putEntities?: Iterable<EntityRecord> | undefined
  readonly deleteEntities?: Iterable<string> | undefined
  readonly putClaims?: Iterable<Claim> | undefined
  readonly deleteClaims?: Iterable<ClaimPlace> | undefined
  readonly putItems?: Iterable<ItemRecord> | undefined
  readonly deleteItems?: Iterable<string> | undefined
  /**
   * Removes `position` and `caughtUpMs` from every stored entity, and all departures, because a reset
   * invalidates them.
   */
  readonly forgetPositions?: boolean | undefined
  /** Entities removed from the target, by key, with the position of the event that removed them. */
  readonly putDepartures?: ReadonlyMap<string, string> | undefined
  /** Keys of departures that are no longer needed. */
  readonly removeDepartures?: Iterable<string> | undefined
  /**
   * A commit may fail after the server made it, if its answer was lost. If the same object is added again,
   * such a store keeps one letter.
   */
  readonly addDeadLetters?: Iterable<NewDeadLetter> | undefined
  readonly removeDeadLetters?: Iterable<number> | undefined
  /** Nonexistent ones are ignored. */
  readonly updateDeadLetters?: Iterable<DeadLetterUpdate> | undefined
  /**
   * Marks all dead letters of these entities (by key) older than the position as outdated by it, including
   * ones added by the same changes.
   */
  readonly outdateDeadLetters?: ReadonlyMap<string, string> | undefined
  /**
   * Also survive a power failure, and not just the end of the process. Slower; set if something irreversible
   * depends on it.
   */
  readonly durable?: boolean | undefined
}

/** What a store found when it was opened. */
export interface StateOpening {
  /** There was nothing here before. */
  readonly fresh: boolean
  /**
   * Every user of the machine may change the state.
   * @default false
   */
  readonly isOpenToOthers?: boolean | undefined
  /** What an operator should know about how safe the state is there, as sentences. */
  readonly warnings?: readonly string[] | undefined
}

/** Why opening a state that copies share takes longer. */
export type StateWait =
  /** Another copy leads. */
  | { readonly for: 'leader'; readonly holder: string }
  /** The server does not answer. */
  | { readonly for: 'server'; readonly error: StateError }

/** What {@link StateStore.examine} found. */
export interface StateExamination {
  /** Where it looked, without secrets. */
  readonly place: string
  /** Whether the connector has a state there. */
  readonly exists: boolean
  /** Name of the copy that leads now. */
  readonly leader: string | undefined
  /** Which right to write is missing; undefined if none is. */
  readonly missingRight: string | undefined
  readonly deadLetters: number
  /** As in {@link StateOpening}. */
  readonly warnings?: readonly string[] | undefined
}

/** Options of {@link StateStore.open}. */
export interface StateOpenOptions {
  /** Ends the wait; `open` then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
  /** Called when the wait begins, and again when its reason changes. Stores that do not wait never call it. */
  readonly onWait?: ((wait: StateWait) => void) | undefined
}

/**
 * The right to work, in a state that several copies of a connector share: one copy holds it at a time. It must
 * be renewed, and a copy that fails to do so is replaced. Two clocks decide, so that they need not agree: the
 * server's clock says when another copy may take over, and the holder's own clock, somewhat earlier, when to
 * start nothing more.
 */
export interface StateLease {
  /**
   * Whether hooks may start now. False once the last renewal is too old by the local clock, even before any
   * answer from the server: a process that was frozen finds it false when it wakes.
   */
  readonly isHeld: boolean
  /** Resolves when hooks may start again; undefined if they may now. */
  whenHeld(): Promise<void> | undefined
  /**
   * Aborts, with a `STATE_LOST` error, when another copy may be working: abandon everything, close the store,
   * and open it again. The lease is not held from then on.
   */
  readonly lost: AbortSignal
}

/**
 * Storage for a connector's positions, id map, and dead letters. It does not interpret them.
 *
 * All methods reject with a `StreamConnectorError` whose code starts with `STATE_`, within a bounded time.
 */
export interface StateStore {
  /**
   * Whether other processes write to it at the same time, each about entities of its own.
   * @default false
   */
  readonly hasOtherWriters?: boolean | undefined
  /**
   * Acquires the state for this connector alone. A store with a {@link lease} waits until no other copy holds
   * it, and until its server answers; others refuse a second holder.
   *
   * @param owner connector id; a state that belongs to another id is refused.
   */
  open(owner: string, options?: StateOpenOptions): Promise<StateOpening>
  /**
   * Only stores that several copies of a connector share have one, from {@link open} to {@link close}. Each
   * commit then checks, in the same transaction, that no other copy has acquired the state since, and rejects
   * with `STATE_LOST` otherwise.
   */
  readonly lease?: StateLease | undefined
  /**
   * Looks at a state without opening or changing it. Only stores that several copies share have it.
   *
   * @throws StateError if the server does not answer, or refuses the user.
   */
  examine?(owner: string): Promise<StateExamination>
  /** A named value. */
  value(name: string): MaybePromise<string | undefined>
  /** A page of the values whose names start with `prefix` and are longer, by name, after `afterName`. */
  values(page: {
    prefix: string
    afterName?: string | undefined
    limit: number
  }): Promise<ReadonlyMap<string, string>>
  /** Number of values with such a name. */
  countValues(prefix: string): Promise<number>
  /** An entity's record. On the hot path: answer synchronously if possible. */
  entity(key: string): MaybePromise<EntityRecord | undefined>
  /** Records of many entities, in the order of their keys. On the hot path: only for stores that answer synchronously. */
  entitiesOf?(keys: readonly string[]): readonly (EntityRecord | undefined)[]
  /** Records with this target id, at most a hundred. */
  entitiesAt(externalId: string): MaybePromise<readonly EntityRecord[]>
  /** A page of the id map after `afterKey`, in the store's own fixed order. */
  entities(page: { afterKey?: string | undefined; limit: number }): Promise<readonly EntityRecord[]>
  /** Entities with `expiresAtMs` at or before `atMs`, soonest first. */
  expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]>
  countEntities(): Promise<number>
  /** A page of an entity's claims by key, after `afterKey`. On the hot path, like {@link entity}. */
  claimsOf(page: {
    entity: string
    afterKey?: string | undefined
    limit: number
  }): MaybePromise<readonly Claim[]>
  /** A page of the claims on a key by entity, after `afterEntity`. Also on the hot path. */
  claimsOn(page: {
    key: string
    afterEntity?: string | undefined
    limit: number
  }): MaybePromise<readonly Claim[]>
  /** A page of all claims, by key, then entity. */
  claims(page: { after?: ClaimPlace | undefined; limit: number }): Promise<readonly Claim[]>
  /** What the target has under a key. Also on the hot path. */
  item(key: string): MaybePromise<ItemRecord | undefined>
  /** Items with this target id, at most a hundred. */
  itemsAt(externalId: string): MaybePromise<readonly ItemRecord[]>
  /** A page of the target's items by key, after `afterKey`. */
  items(page: { afterKey?: string | undefined; limit: number }): Promise<readonly ItemRecord[]>
  countItems(): Promise<number>
  countClaims(): Promise<number>
  /** All departures; never more than about ten thousand. */
  departures(): Promise<ReadonlyMap<string, string>>
  /** A page of dead letters by id, after `afterId`. */
  deadLetters(page: {
    afterId?: number | undefined
    limit: number
    /** Only letters with a requested retry. */
    onlyReplay?: boolean | undefined
    /** Returns empty `data`, which can be megabytes each. */
    withoutData?: boolean | undefined
    /** The newest letters, newest first, instead of those after `afterId`. Requires `withoutData`. */
    newestFirst?: boolean | undefined
  }): Promise<readonly DeadLetter[]>
  deadLetter(id: number): Promise<DeadLetter | undefined>
  countDeadLetters(): Promise<number>
  /**
   * Requests a retry of dead letters (all if `ids` is omitted); returns their number. Skips those without a
   * key, which were unreadable.
   */
  requestReplay(request: { ids?: readonly number[] | undefined; force: boolean }): Promise<number>
  /** Makes all of `changes` durable, or none. */
  commit(changes: StateChanges): Promise<void>
  /** Releases the state. Safe to call twice. */
  close(): Promise<void>
}
