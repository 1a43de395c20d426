import { type ResolvedRoute } from '../settings/delivery-options.ts'
import { type Clock } from '../util/clock.ts'
import { type Books, type BooksSnapshot } from './books.ts'
import { type Trouble } from './engines.ts'
import { Route } from './route.ts'

/** How one route does at one moment. */
export interface RouteAccount extends BooksSnapshot, Trouble {
  /** Hooks, or batches, that may run side by side through it now. */
  readonly concurrencyLimit: number
}

/** What becomes of an event beside the routes: it is delivered, only withdrawn, or nothing at all. */
export type Unrouted = 'delivers' | 'withdraws' | 'nothing'

/**
 * The routes of a connector: those of its settings, and those that it once had and through which something may still be
 * at the target.
 */
export class Routes {
  readonly #books: Books
  readonly #clock: Pick<Clock, 'now'>
  #all: readonly Route[]
  #unrouted: Unrouted

  constructor(configured: readonly ResolvedRoute[], books: Books, clock: Pick<Clock, 'now'>) {
    this.#books = books
    this.#clock = clock
    this.#all = configured.map((options) => new Route({ name: options.name, books, options, clock }))
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

  /** The route of this name, or the one that had it. */
  named(name: string): Route | undefined {
    return (
      this.#all.find((route) => route.name === name) ??
      this.#all.find(({ formerly }) => formerly.includes(name))
    )
  }

  /**
   * Something may have been pushed through routes of these names; the empty name stands for what was pushed when there were
   * none.
   *
   * @returns the names that no route has or had: what was pushed through them is withdrawn.
   */
  recall(names: Iterable<string>): readonly string[] {
    const gone: string[] = []
    for (const name of names) {
      if (this.named(name) !== undefined) continue
      if (name === '') {
        if (this.#unrouted !== 'nothing') continue
        this.#unrouted = 'withdraws'
      } else {
        this.#all = [...this.#all, new Route({ name, books: this.#books, clock: this.#clock })]
      }
      gone.push(name)
    }
    return gone
  }
}
