import { type DeadLetter, type StateStore } from '../store/state-store.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { exportedLetter, type ExportedDeadLetter } from './exported-dead-letter.ts'

/** A dead letter without its message, which can be megabytes: see {@link DeadLetters.get}. */
export type DeadLetterSummary = Omit<DeadLetter, 'data'>

/** Dead letters selected by id, or all. */
export type DeadLetterSelection = readonly number[] | 'all'

/** Result of requesting a replay. */
export interface ReplayRequest {
  /** Number of letters the connector will retry. */
  readonly requested: number
  /**
   * Number of letters that were never readable as events. They can only be exported and purged, not replayed.
   */
  readonly unreadable: number
  /** Unknown ids; empty if all letters were selected. */
  readonly missing: readonly number[]
}

/** Letters to read at a time. Summaries are small; whole letters are not. */
const summariesPerPage = 500
const lettersPerPage = 16

/**
 * Manages events that could not be delivered: list, inspect, replay, purge, and export them.
 *
 * Works on an open store, even while a connector uses the same file: open it as `shared`, or `read-only` if
 * nothing changes. Only requests a replay; the running connector performs it within about a second, or when
 * it next starts. The command `opencti-stream dead-letters` does the same from a shell.
 *
 * @example
 * ```ts
 * import { DeadLetters, SqliteStore } from 'opencti-stream-connector'
 *
 * const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
 * const store = new SqliteStore({ directory: './state', connectorId, access: 'shared' })
 * await store.open(connectorId)
 * const deadLetters = new DeadLetters(store)
 * for await (const { id, entityId, error } of deadLetters.list()) console.log(id, entityId, error)
 * await deadLetters.requestReplay('all')
 * await store.close()
 * ```
 */
export class DeadLetters {
  readonly #store: StateStore
  readonly #clock: Clock

  /** @param options.clock for "older than". Defaults to `systemClock`. */
  constructor(store: StateStore, options: { readonly clock?: Clock | undefined } = {}) {
    this.#store = store
    this.#clock = options.clock ?? systemClock
  }

  /** Number of dead letters. */
  count(): Promise<number> {
    return this.#store.countDeadLetters()
  }

  /**
   * Lists all dead letters by id, in pages; includes those added while it runs.
   *
   * @param options.afterId skips letters up to this id. Defaults to 0.
   * @throws StateError if the state cannot be read.
   */
  async *list(options: { readonly afterId?: number | undefined } = {}): AsyncGenerator<DeadLetterSummary> {
    for await (const page of this.#summaries(options.afterId ?? 0)) yield* page
  }

  /** A dead letter with its message; `undefined` if the id does not exist. */
  get(id: number): Promise<DeadLetter | undefined> {
    return this.#store.deadLetter(id)
  }

  /**
   * Requests a retry of dead letters in their entity's lane. A letter is stale if the target already has
   * something newer for its entity: it then stays, with an error that says so, unless forced.
   *
   * @param options.force also delivers stale letters. Defaults to false.
   * @throws StateError if the request cannot be saved.
   */
  async requestReplay(
    which: DeadLetterSelection,
    options: { readonly force?: boolean | undefined } = {},
  ): Promise<ReplayRequest> {
    const force = options.force ?? false
    if (which === 'all') {
      const all = await this.#store.countDeadLetters()
      const requested = await this.#store.requestReplay({ force })
      return { requested, unreadable: Math.max(0, all - requested), missing: [] }
    }
    const ids: number[] = []
    const missing: number[] = []
    let unreadable = 0
    for (const id of new Set(which)) {
      const letter = await this.#summary(id)
      if (letter === undefined) missing.push(id)
      else if (isReplayable(letter)) ids.push(id)
      else unreadable++
    }
    return { requested: await this.#store.requestReplay({ ids, force }), unreadable, missing }
  }

  /**
   * Deletes dead letters permanently. Their events are lost unless exported.
   *
   * @param which some of them, all existing ones, or those whose last failure is more than `olderThanMs`
   *   milliseconds ago.
   * @returns the number of deleted letters.
   * @throws StateError if that cannot be saved; earlier deletions remain.
   */
  async purge(which: DeadLetterSelection | { readonly olderThanMs: number }): Promise<number> {
    if (Array.isArray(which)) {
      const found: number[] = []
      for (const id of new Set(which as readonly number[]))
        if ((await this.#summary(id)) !== undefined) found.push(id)
      return this.#remove(found)
    }
    const beforeMs =
      typeof which === 'object' && 'olderThanMs' in which
        ? this.#clock.now() - which.olderThanMs
        : Number.POSITIVE_INFINITY
    let count = 0
    for await (const page of this.#summaries(0)) {
      count += await this.#remove(page.filter(({ lastAtMs }) => lastAtMs < beforeMs).map(({ id }) => id))
    }
    return count
  }

  /**
   * Exports all dead letters in the stream connector specification's format for failed events. Write each as
   * one line of JSON to get a `failed_events.jsonl`.
   *
   * @throws StateError if the state cannot be read.
   */
  async *export(): AsyncGenerator<ExportedDeadLetter> {
    let afterId = 0
    for (;;) {
      const page = await this.#store.deadLetters({ afterId, limit: lettersPerPage })
      for (const letter of page) yield exportedLetter(letter)
      if (page.length < lettersPerPage) return
      afterId = page.at(-1)!.id
    }
  }

  async #summary(id: number): Promise<DeadLetterSummary | undefined> {
    const [next] = await this.#store.deadLetters({ afterId: id - 1, limit: 1, withoutData: true })
    return next?.id === id ? next : undefined
  }

  async *#summaries(afterId: number): AsyncGenerator<readonly DeadLetterSummary[]> {
    for (let last = afterId; ;) {
      const page = await this.#store.deadLetters({
        afterId: last,
        limit: summariesPerPage,
        withoutData: true,
      })
      yield page.map(({ data: _, ...summary }) => summary)
      if (page.length < summariesPerPage) return
      last = page.at(-1)!.id
    }
  }

  async #remove(ids: readonly number[]): Promise<number> {
    if (ids.length > 0) await this.#store.commit({ removeDeadLetters: ids })
    return ids.length
  }
}

/**
 * Whether a dead letter can be retried, that is, whether its message was readable as an event.
 *
 * @example
 * ```ts
 * import { isReplayable, type DeadLetterSummary } from 'opencti-stream-connector'
 *
 * const describe = (letter: DeadLetterSummary) => (isReplayable(letter) ? letter.entityId : 'unreadable')
 * console.log(describe.length)
 * ```
 */
export function isReplayable(letter: DeadLetterSummary): boolean {
  return letter.key !== undefined
}
