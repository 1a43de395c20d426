import { type CombineItems, combineItems } from './combine-items.ts'
import { canonicalText } from './keyed-item.ts'

/** Below this number of items, the goal is not compared: it is seldom reached that early. */
const minCompared = 16

/** Items that are combined already. */
interface Run {
  readonly length: number
  readonly item: unknown
}

/**
 * Combines any number of items with the same key, as JSON text. Runs of equal length are joined, so that lists that grow
 * with each item cost n log n in all, not n².
 */
export class Combination {
  readonly #combine: CombineItems | undefined
  readonly #runs: Run[] = []
  readonly #seen = new Set<string>()

  /** @param combine undefined for {@link combineItems}. */
  constructor(combine: CombineItems | undefined) {
    this.#combine = combine
  }

  /**
   * Adds an item.
   *
   * @param goal text of an item that contains all items to come.
   * @returns whether the combination is that item already, so that more would not change it.
   */
  add(text: string, goal?: string | undefined): boolean {
    // Thousands of entities can claim a key, and most of them say the same.
    if (this.#seen.has(text)) return false
    this.#seen.add(text)
    const combine = this.#combine ?? combineItems
    let run: Run = { length: 1, item: JSON.parse(text) }
    for (let last = this.#runs.at(-1); last !== undefined; last = this.#runs.at(-1)) {
      // An author's function gets one item after the other.
      if (this.#combine === undefined && last.length > run.length) break
      this.#runs.pop()
      run = { length: last.length + run.length, item: combine(last.item, run.item) }
    }
    this.#runs.push(run)
    if (goal === undefined || this.#combine !== undefined || run.length < minCompared) return false
    return canonicalText(run.item) === goal
  }

  /** The combined item; undefined if there is none. */
  text(): string | undefined {
    const [first] = this.#seen
    if (this.#seen.size <= 1) return first
    const combine = this.#combine ?? combineItems
    return canonicalText(this.#runs.map(({ item }) => item).reduceRight((all, item) => combine(item, all)))
  }
}
