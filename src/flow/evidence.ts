import { type Operation, type Tries } from '../events/operation.ts'
import { type Verdict } from '../errors/verdict.ts'
import { type Outage } from './outage.ts'

/** What a try counts less with each that comes after it: about the last hundred count. */
const keep = 0.99

/** What is less likely than this is not taken for chance. */
const chance = 1e-6

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

/**
 * Enters a failure that may pass in the account of its operation. Answers whether its tries are used up with that. A
 * failure that may be the target's is only held against the event when the target has worked for others since: an
 * outage, however long, uses up nothing. Where the target also fails others now and then, that has to happen so often that it
 * can no longer be chance. A target that has too much to do uses up nothing, and neither does a platform that does not
 * answer look-ups.
 *
 * @param share of the tries at the target that fail now.
 * @param attempts tries of one event in all, while the target otherwise works.
 */
export function chargeFailure(
  operation: Operation,
  verdict: Verdict,
  outage: Outage,
  share: FailureShare,
  attempts: number,
): boolean {
  if (verdict.isOverload || (verdict.ofPlatform && verdict.kind === 'outage')) return false
  const { successes, reason, workedRecently } = outage
  const { tries } = operation
  const isFirst = tries.failedAtSuccess < 0
  const isCharged = successes > tries.failedAtSuccess || tries.unexplained > 0
  tries.failedAtSuccess = successes
  tries.unexplained = verdict.ofTarget ? 0 : tries.unexplained + 1
  if (reason !== undefined) return false
  if (!isFirst && isCharged) tries.charges++
  const charged = tries.charges + 1
  if (charged < attempts) return false
  if (!verdict.ofTarget) return true
  return (charged > 1 || workedRecently) && share.besides(operation) ** charged < chance
}

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
