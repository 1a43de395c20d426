import { type CommitPart } from '../checkpoint/commit-part.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type EventCounters, listed, type Outcome } from '../events/event-counters.ts'
import { type Route } from '../events/routes.ts'
import { type CombineItems } from '../items/combine-items.ts'
import { ItemList } from '../items/item-list.ts'
import { type SnapshotFacts } from '../observe/facts/observed-facts.ts'
import { type StateStore } from '../store/state-store.ts'
import { Condition } from '../util/condition.ts'
import { readSnapshotRecord, type SnapshotRecord } from './snapshot-record.ts'
import { SnapshotWriter, type SnapshotWriterOptions } from './snapshot-writer.ts'

/** The lists of a target that only takes whole lists: a single one, or one per route. */
export class Snapshots implements CommitPart {
  readonly #options: SnapshotsOptions
  readonly #writers = new Map<string | undefined, SnapshotWriter>()
  readonly #written = new Map<string, SnapshotRecord>()
  readonly #taken = new Condition()

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  /** Adds a route; undefined for items without one. */
  add(route: Route | undefined): void {
    const { store, combine, counters } = this.#options
    const name = route?.name
    const writer = new SnapshotWriter({
      ...this.#options,
      route: name,
      counters,
      routeCounters: route?.counters,
      list: new ItemList(store, combine, name),
      snapshots: this,
    })
    this.#writers.set(name, writer)
  }

  /** Loads what an earlier process left, once all routes are known. */
  async open(): Promise<void> {
    for (const [route, writer] of this.#writers) {
      const text = await this.#options.store.value(nameOf(storedValues.snapshot, route))
      if (text !== undefined) writer.resume(readSnapshotRecord(text))
    }
  }

  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    const values = new Map<string, string>()
    for (const [route, { record }] of this.#writers) {
      const name = nameOf(storedValues.snapshot, route)
      const isNew = this.#written.get(name) !== record
      if ((isNew || isUnsure) && (record.isDirty || record.takenAtMs !== undefined))
        values.set(name, JSON.stringify(record))
      this.#written.set(name, record)
    }
    return values
  }

  /** A claim of this route has changed. */
  change(route: Route | undefined): void {
    this.#writers.get(route?.name)!.change()
  }

  /** Writes lists whenever necessary, until `signal` is aborted. */
  run(signal: AbortSignal): void {
    for (const writer of this.#writers.values()) void writer.run(signal)
  }

  /** The outcome of an event that is {@link listed}, once the target has taken the list. */
  async outcomeOf(isRunning: boolean, signal: AbortSignal): Promise<Outcome> {
    const { counters } = this.#options
    const count = counters.listed
    // Nobody else writes if no stream is being read.
    if (!isRunning) {
      for (const writer of this.#writers.values()) {
        const problem = await writer.writeNow(signal)
        if (problem !== undefined) return { kind: 'skipped', reason: `list not taken: ${problem}` }
      }
    }
    while (counters.listedDelivered < count) await this.#taken.wait()
    return listed
  }

  /** The target has taken a list. An event is delivered once its items are in the lists of all its routes. */
  taken(): void {
    const { counters } = this.#options
    const covered = [...this.#writers.values()].map((writer) =>
      writer.record.isDirty ? writer.coveredEvents : counters.listed,
    )
    counters.deliverListed(Math.min(...covered))
    this.#taken.notifyAll()
  }

  /** Whether a person has agreed to a much shorter list; counts once. */
  async takeConsent(route: string | undefined): Promise<boolean> {
    const { store } = this.#options
    const name = nameOf(storedValues.snapshotConsent, route)
    if ((await store.value(name)) === undefined) return false
    await store.commit({ values: new Map([[name, undefined]]) })
    return true
  }

  facts(): readonly SnapshotFacts[] {
    return [...this.#writers].map(([route, { record, problem }]) => ({
      route,
      count: record.count,
      takenAtMs: record.takenAtMs,
      isDirty: record.isDirty,
      problem,
    }))
  }
}

export interface SnapshotsOptions extends Omit<
  SnapshotWriterOptions,
  'route' | 'list' | 'routeCounters' | 'snapshots'
> {
  readonly store: StateStore
  /** The author's function to combine two items. @default {@link combineItems} */
  readonly combine: CombineItems | undefined
  readonly counters: EventCounters
}

/** The name of a route's value. */
export function nameOf(value: string, route: string | undefined): string {
  return route === undefined ? value : `${value}:${route}`
}
