import { type DeadLetter, type StateStore } from '../store/state-store.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { exportedLetter, type ExportedDeadLetter } from './exported-dead-letter.ts'

/** A dead letter without its message, which can be megabytes: see {@link DeadLetters.get}. */
export type DeadLetterSummary = Omit<DeadLetter, 'data'>

/** Which dead letters: some of them by id, or all. */
export type DeadLetterSelection = readonly number[] | 'all'

/** What came of asking for dead letters to be tried again. */
export interface ReplayRequest {
  /** How many the connector will try. */
  readonly requested: number
  /** How many could never be read as an event: they cannot be replayed, only exported and purged. */
  readonly unreadable: number
  /** Ids that no dead letter has; empty when all were asked for. */
  readonly missing: readonly number[]
}

/** How many letters are looked at in one go. Summaries are small; whole letters are not. */
const summariesPerPage = 500
const lettersPerPage = 16

/**
 * The events that could not be delivered, for people: look at them, have them tried again, throw them away, hand them on.
 *
 * It works on a store that is open, also while a connector uses the same file: open that as `shared`, or as `read-only`
 * when nothing is to be changed. A replay is only asked for here; the running connector does it, within about a second, or
 * when it is next started. The command `opencti-stream dead-letters` does the same from a shell.
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

  /** @param options.clock tells what is "older than"; default: the clock of the machine. */
  constructor(store: StateStore, options: { readonly clock?: Clock | undefined } = {}) {
    this.#store = store
    this.#clock = options.clock ?? systemClock
  }

  /** How many there are. */
  count(): Promise<number> {
    return this.#store.countDeadLetters()
  }

  /**
   * All of them in order of id, read in pages: those that come while it runs are listed as well.
   *
   * @param options.afterId leaves out those up to this id; default 0.
   * @throws StateError when the state cannot be read.
   */
  async *list(options: { readonly afterId?: number | undefined } = {}): AsyncGenerator<DeadLetterSummary> {
    for await (const page of this.#summaries(options.afterId ?? 0)) yield* page
  }

  /** One of them with its message; `undefined` when there is none with this id. */
  get(id: number): Promise<DeadLetter | undefined> {
    return this.#store.deadLetter(id)
  }

  /**
   * Asks the connector to try dead letters again, in their entity's lane. One that is older than what the target has of
   * its entity by now is stale: it stays, with an error that says so, unless it is forced.
   *
   * @param options.force also deliver what is stale. Default `false`.
   * @throws StateError when the request cannot be written.
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
   * Removes dead letters for good. Their events are lost then, unless they were exported.
   *
   * @param which some of them, all that exist now, or those that failed last more than `olderThanMs` milliseconds ago.
   * @returns how many were removed.
   * @throws StateError when that cannot be written; what was removed before stays removed.
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
   * All of them as the specification of stream connectors keeps failed events: write each as one line of JSON, and the
   * file is a `failed_events.jsonl`.
   *
   * @throws StateError when the state cannot be read.
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
 * Whether a dead letter can be tried again: whether its message could be read as an event at all.
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
