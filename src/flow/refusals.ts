/** What an event counts less with each that ends after it: about the last hundred count. */
const keep = 0.99

/** What is less likely than this is not taken for chance. */
const chance = 1e-6

/** What is taken for granted before anything is known: that one half of so many is refused. Bad events come together. */
const before = { refused: 10, ended: 20 }

/**
 * Tells "everything is refused" from "this event is bad": counts the entities of which an event was refused for good since
 * the target took one. Twenty in a row are more than chance for a target that refuses no more than half of them, and up to a hundred and
 * sixty for one that refuses nearly all.
 */
export class Refusals {
  /** Entities that were refused since an event was delivered last; what is one entity's says nothing of others. */
  readonly #keys = new Set<string>()
  /** Those of an earlier process. */
  #earlier = 0
  #refused = 0
  #ended = 0

  /** An earlier process has seen so many in a row. */
  resume(run: number): void {
    this.#earlier = run
  }

  /** An event was delivered. Answers whether one had been refused since another was. */
  worked(): boolean {
    const run = this.#run
    // A run that was more than chance was none of bad events: it says nothing of how often there are some.
    if (!this.isMoreThanChance) for (let index = 0; index < run; index++) this.#end(1)
    this.#end(0)
    this.#keys.clear()
    this.#earlier = 0
    return run > 0
  }

  /** An event of this entity was refused for good. */
  refused(key: string): void {
    this.#keys.add(key)
  }

  /** One of a run that was more than chance is refused once more, while others are taken: it is bad. */
  wasBad(): void {
    this.#end(1)
  }

  /** Whether so many in a row are more than chance. */
  get isMoreThanChance(): boolean {
    const share = (this.#refused + before.refused) / (this.#ended + before.ended)
    return Math.max(share, before.refused / before.ended) ** this.#run < chance
  }

  get #run(): number {
    return this.#keys.size + this.#earlier
  }

  #end(refused: 0 | 1): void {
    this.#refused = this.#refused * keep + refused
    this.#ended = this.#ended * keep + 1
  }
}
