import { type ResolvedRoute } from '../settings/schemas/route-schema.ts'
import { type Clock } from '../util/clock.ts'
import { type EventCounters } from './event-counters.ts'
import { Route } from './route.ts'

/** What becomes of an event beside the routes: it is delivered, only withdrawn, or nothing at all. */
export type Unrouted = 'delivers' | 'withdraws' | 'nothing'

/**
 * The routes of a connector: those of its settings, and those that it once had and through which something may still be
 * at the target.
 */
export class Routes {
  readonly #counters: EventCounters
  readonly #clock: Pick<Clock, 'now'>
  #all: readonly Route[]
  #unrouted: Unrouted

  constructor(configured: readonly ResolvedRoute[], counters: EventCounters, clock: Pick<Clock, 'now'>) {
    this.#counters = counters
    this.#clock = clock
    this.#all = configured.map((options) => new Route({ name: options.name, counters, options, clock }))
    this.#unrouted = configured.length === 0 ? 'delivers' : 'nothing'
  }

  get all(): readonly Route[] {
    return this.#all
  }

  get unrouted(): Unrouted {
    return this.#unrouted
  }

  /** There are no routes and never were any. */
  get areNone(): boolean {
    return this.#all.length === 0 && this.#unrouted === 'delivers'
  }

  /** The route of this name. */
  named(name: string): Route | undefined {
    return this.#all.find((route) => route.name === name)
  }

  /**
   * Something may have been pushed through routes of these names; the empty name stands for what was pushed when there were
   * none.
   *
   * @returns the names that no route has: what was pushed through them is withdrawn.
   */
  recall(names: Iterable<string>): readonly string[] {
    const gone: string[] = []
    for (const name of names) {
      if (this.named(name) !== undefined) continue
      if (name === '') {
        if (this.#unrouted !== 'nothing') continue
        this.#unrouted = 'withdraws'
      } else {
        this.#all = [...this.#all, new Route({ name, counters: this.#counters, clock: this.#clock })]
      }
      gone.push(name)
    }
    return gone
  }
}
