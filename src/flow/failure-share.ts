import { type Operation } from '../events/operation.ts'
import { type Tries } from '../events/tries.ts'

/** What a try counts less with each that comes after it: about the last hundred count. */
const keep = 0.99

/** So many tries of one operation count: of those that always fail, a few would else pass for a target that always does. */
const maxTries = 10

/** When no more than this is left of the failures of others, none of them fails now. */
const nextToNone = 0.1

/** Which share of the last tries has failed, of all operations or of all but one. */
export class FailureShare {
  #tries = 0
  #failures = 0
  /** Tries so far: tells how old the failures of an operation are. */
  #count = 0

  worked(operations: readonly Operation[]): void {
    for (const operation of operations) if (operation.tries.counted < maxTries) this.#add(0)
  }

  /** @param operations what was tried at once: one failure, which is remembered as their own. */
  failed(operations: readonly Operation[]): void {
    const counted = operations.filter(({ tries }) => tries.counted < maxTries)
    if (counted.length === 0) return
    this.#add(1)
    for (const { tries } of counted) {
      tries.counted++
      tries.ownFailures = this.#ownOf(tries) + 1
      tries.ownFailuresAt = this.#count
    }
  }

  /** The share of all tries that has failed. */
  get ofAll(): number {
    return this.#failures < nextToNone ? 0 : this.#failures / this.#tries
  }

  /**
   * The share of the tries of all others that has failed, rather too high than too low where there were few; 0 while none of
   * theirs fails.
   */
  besides(operation: Operation): number {
    const own = this.#ownOf(operation.tries)
    const failures = this.#failures - own
    return failures < nextToNone ? 0 : (failures + 1) / (this.#tries - own + 1)
  }

  #add(failures: 0 | 1): void {
    this.#count++
    this.#tries = this.#tries * keep + 1
    this.#failures = this.#failures * keep + failures
  }

  #ownOf({ ownFailures, ownFailuresAt }: Tries): number {
    return ownFailures === 0 ? 0 : ownFailures * keep ** (this.#count - ownFailuresAt)
  }
}
