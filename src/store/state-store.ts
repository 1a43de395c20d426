/** A value, or the promise of one: stores that live in the process answer at once, others do not. */
export type MaybePromise<T> = T | Promise<T>

/** What is remembered of one entity that was pushed to the target. */
export interface EntityRecord {
  /**
   * OpenCTI's internal id, which never changes; the STIX id where the platform gave no internal one. With `@` and the name
   * of the route where there is one.
   */
  readonly key: string
  /** The route through which it was pushed; absent where there was none. */
  readonly route?: string | undefined
  /** The STIX id when it was last pushed. */
  readonly stixId: string
  /** What `create` or `find` answered; absent when the target needs no id of its own, empty when it has one that is not known. */
  readonly externalId?: string | undefined
  /** Position of the newest event that was delivered for it, `<ms>-<seq>`; absent when it came without one. */
  readonly position?: string | undefined
  /**
   * The `updated_at` of the state that a catch-up told, in milliseconds since 1970; absent when an event has told the newest.
   * It is by another clock than {@link position}.
   */
  readonly caughtUpMs?: number | undefined
  /** When it has to be withdrawn, in milliseconds since 1970; absent for never. */
  readonly expiresAtMs?: number | undefined
}

/** An event that could not be delivered, as it is about to be kept. */
export interface NewDeadLetter {
  /** The entity's key, as in {@link EntityRecord}; absent when the event could not be read. */
  readonly key?: string | undefined
  /** The route through which it could not be delivered; absent where there was none, or it failed before it came to one. */
  readonly route?: string | undefined
  /** `create`, `update`, `delete`, `merge`, or whatever the frame said. */
  readonly eventType: string
  readonly entityId?: string | undefined
  readonly entityType?: string | undefined
  /** Position of the event, `<ms>-<seq>`. */
  readonly position?: string | undefined
  readonly attempts: number
  /** First and last time that it failed, in milliseconds since 1970. */
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** What went wrong, cleaned of secrets. */
  readonly error: string
  /** The message as it came: the JSON text of the envelope, or the raw text that could not be read. */
  readonly data: string
}

/** A dead letter in the store. */
export interface DeadLetter extends NewDeadLetter {
  /** Counts up from 1 and is never used again. */
  readonly id: number
  /** Whether somebody asked for it to be tried again; `forced` also when it is older than the entity's state. */
  readonly replay?: 'requested' | 'forced' | undefined
  /** Position of a newer event of its entity that has ended since, as far as the id map cannot tell: of a delete. */
  readonly outdatedBy?: string | undefined
}

/** What another try has changed about a dead letter that stays. */
export interface DeadLetterUpdate {
  readonly id: number
  readonly attempts: number
  readonly lastAtMs: number
  readonly error: string
  /** The request that this answers, which is removed; one of another kind, made since, stays. */
  readonly answered?: DeadLetter['replay']
}

/** Changes that become durable together or not at all. */
export interface StateChanges {
  /** Small named values; `undefined` removes one. */
  readonly values?: ReadonlyMap<string, string | undefined> | undefined
  readonly putEntities?: Iterable<EntityRecord> | undefined
  readonly deleteEntities?: Iterable<string> | undefined
  /** Removes `position` and `caughtUpMs` of every entity that was remembered before, and all departures: a reset makes them say nothing. */
  readonly forgetPositions?: boolean | undefined
  /** Entities that are gone from the target, by key, with the position of the event with which they went. */
  readonly putDepartures?: ReadonlyMap<string, string> | undefined
  /** Keys of departures that need not be remembered any more. */
  readonly removeDepartures?: Iterable<string> | undefined
  readonly addDeadLetters?: Iterable<NewDeadLetter> | undefined
  readonly removeDeadLetters?: Iterable<number> | undefined
  /** Those that do not exist are left out. */
  readonly updateDeadLetters?: Iterable<DeadLetterUpdate> | undefined
  /**
   * Marks every dead letter of these entities (by key) that is older than the position, also one that is added by the
   * same changes, as outdated by it.
   */
  readonly outdateDeadLetters?: ReadonlyMap<string, string> | undefined
  /**
   * Also survive a loss of power, not only of the process. Slower; asked for when something depends on it that
   * cannot be done again.
   */
  readonly durable?: boolean | undefined
}

/** What a store found when it was opened. */
export interface StateOpening {
  /** There was nothing here before. */
  readonly fresh: boolean
  /** Everybody on the machine may change what is kept here. Default: no. */
  readonly isOpenToOthers?: boolean | undefined
}

/**
 * Where a connector keeps its positions, id map and dead letters. Knows nothing of what they mean.
 *
 * Every method rejects with a `StreamConnectorError` whose code starts with `STATE_`.
 */
export interface StateStore {
  /**
   * Takes hold of the state of this connector alone: a second holder is refused.
   *
   * @param owner the connector id; a state that belongs to another id is refused.
   */
  open(owner: string): Promise<StateOpening>
  /** The named value. */
  value(name: string): MaybePromise<string | undefined>
  /** A page of the values whose name begins with `prefix` and is longer, in order of name, after `afterName`. */
  values(page: {
    prefix: string
    afterName?: string | undefined
    limit: number
  }): Promise<ReadonlyMap<string, string>>
  /** How many values have such a name. */
  countValues(prefix: string): Promise<number>
  /** What is remembered of an entity. On the hot path: answer at once where possible. */
  entity(key: string): MaybePromise<EntityRecord | undefined>
  /** Entities that are remembered under this id of the target's own, at most a hundred. */
  entitiesAt(externalId: string): MaybePromise<readonly EntityRecord[]>
  /** A page of the id map in order of key, after `afterKey`. */
  entities(page: { afterKey?: string | undefined; limit: number }): Promise<readonly EntityRecord[]>
  /** Entities with `expiresAtMs` at or before `atMs`, soonest first. */
  expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]>
  countEntities(): Promise<number>
  /** All departures that are remembered; never more than some ten thousand. */
  departures(): Promise<ReadonlyMap<string, string>>
  /** A page of dead letters in order of id, after `afterId`. */
  deadLetters(page: {
    afterId?: number | undefined
    limit: number
    /** Only those that somebody asked to be tried again. */
    onlyReplay?: boolean | undefined
    /** Answers them with empty `data`, which can be megabytes each. */
    withoutData?: boolean | undefined
    /** The newest ones, newest first, in place of those after `afterId`; only asked for with `withoutData`. */
    newestFirst?: boolean | undefined
  }): Promise<readonly DeadLetter[]>
  deadLetter(id: number): Promise<DeadLetter | undefined>
  countDeadLetters(): Promise<number>
  /**
   * Marks dead letters (all of them when `ids` is absent) to be tried again; answers how many. Those without a key
   * could not be read and are left out.
   */
  requestReplay(request: { ids?: readonly number[] | undefined; force: boolean }): Promise<number>
  /** Makes all of `changes` durable, or none. */
  commit(changes: StateChanges): Promise<void>
  /** Lets go. Safe to call twice. */
  close(): Promise<void>
}
