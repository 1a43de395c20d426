import { type CommitPart } from '../checkpoint/commit-part.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type StateStore } from '../store/state-store.ts'

const { perhapsPushedPrefix: prefix } = storedValues

/** Most entities that are told apart; with more, every unknown one counts as perhaps pushed. */
const maxRemembered = 50_000

/**
 * The entities that the target may have although the id map does not say so, because no create of them had a clear end. Each is a
 * value of the state, and is gone once it is known what the target has.
 */
export class PerhapsPushed implements CommitPart {
  readonly #keys = new Set<string>()
  /** Not in the state yet: whether each is one. */
  #changed = new Map<string, boolean>()
  #committing = new Map<string, boolean>()
  readonly #touch: () => void
  readonly #max: number

  /** @param touch called when something has to be saved. */
  constructor(touch: () => void, max = maxRemembered) {
    this.#touch = touch
    this.#max = max
  }

  async open(store: StateStore): Promise<void> {
    const values = await store.values({ prefix, limit: this.#max })
    for (const name of values.keys()) this.#keys.add(name.slice(prefix.length))
  }

  has(key: string): boolean {
    return this.#keys.has(key) || this.#keys.size >= this.#max
  }

  add(key: string): void {
    if (!this.has(key)) this.#change(key, true)
  }

  remove(key: string): void {
    if (this.#keys.has(key)) this.#change(key, false)
  }

  #change(key: string, isOne: boolean): void {
    if (isOne) this.#keys.add(key)
    else this.#keys.delete(key)
    this.#changed.set(key, isOne)
    this.#touch()
  }

  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (isUnsure)
      for (const [key, isOne] of this.#committing) if (!this.#changed.has(key)) this.#changed.set(key, isOne)
    this.#committing = this.#changed
    this.#changed = new Map()
    if (this.#committing.size === 0) return nothing
    return new Map([...this.#committing].map(([key, isOne]) => [`${prefix}${key}`, isOne ? '' : undefined]))
  }
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()
