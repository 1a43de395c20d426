import { type Operation, type Attempts } from '../events/operation.ts'
import { type Verdict } from '../errors/verdict.ts'
import { type Outage } from './outage.ts'

/** Weight an attempt loses with each later one: about the last hundred count. */
const keep = 0.99

/** Anything less likely than this is not considered chance. */
const chance = 1e-6

/**
 * Maximum number of attempts of one operation that count: otherwise, a few that always fail would look like a
 * target that always fails.
 */
const maxCounted = 10

/** With this little left of the others' failures, none of them is failing now. */
const nextToNone = 0.1

/** Share of recent attempts that failed, for all operations or all but one. */
export class FailureShare {
  #attempts = 0
  #failures = 0
  /** Attempts so far, to age an operation's failures. */
  #count = 0

  worked(operations: readonly Operation[]): void {
    for (const operation of operations) if (operation.attempts.counted < maxCounted) this.#add(0)
  }

  /** @param operations what was attempted together: one failure, attributed to each of them. */
  failed(operations: readonly Operation[]): void {
    const counted = operations.filter(({ attempts }) => attempts.counted < maxCounted)
    if (counted.length === 0) return
    this.#add(1)
    for (const { attempts } of counted) {
      attempts.counted++
      attempts.ownFailures = this.#ownOf(attempts) + 1
      attempts.ownFailuresAt = this.#count
    }
  }

  /** Share of all attempts that failed. */
  get ofAll(): number {
    return this.#failures < nextToNone ? 0 : this.#failures / this.#attempts
  }

  /**
   * Share of the others' attempts that failed, rather too high than too low if there were few; 0 while none
   * fails.
   */
  besides(operation: Operation): number {
    const own = this.#ownOf(operation.attempts)
    const failures = this.#failures - own
    return failures < nextToNone ? 0 : (failures + 1) / (this.#attempts - own + 1)
  }

  #add(failures: 0 | 1): void {
    this.#count++
    this.#attempts = this.#attempts * keep + 1
    this.#failures = this.#failures * keep + failures
  }

  #ownOf({ ownFailures, ownFailuresAt }: Attempts): number {
    return ownFailures === 0 ? 0 : ownFailures * keep ** (this.#count - ownFailuresAt)
  }
}

/**
 * Records a transient failure of an operation. Returns whether its attempts are used up. A failure that may
 * be the target's only counts against the event if the target has since worked for others: an outage, however
 * long, uses up no attempts. If the target also fails others occasionally, this must happen so often that it
 * can no longer be chance. An overloaded target or a platform that does not answer lookups uses up no
 * attempts.
 *
 * @param share share of the target's attempts that currently fail.
 * @param maxAttempts maximum number of attempts per event while the target otherwise works.
 */
export function chargeFailure(
  operation: Operation,
  verdict: Verdict,
  outage: Outage,
  share: FailureShare,
  maxAttempts: number,
): boolean {
  if (verdict.isOverload || (verdict.ofPlatform && verdict.kind === 'outage')) return false
  const { successes, reason, workedRecently } = outage
  const { attempts } = operation
  const isFirst = attempts.failedAtSuccess < 0
  const isCharged = successes > attempts.failedAtSuccess || attempts.unexplained > 0
  attempts.failedAtSuccess = successes
  attempts.unexplained = verdict.ofTarget ? 0 : attempts.unexplained + 1
  if (reason !== undefined) return false
  if (!isFirst && isCharged) attempts.charges++
  // What may have been the target's fault must be more than chance, also in company of others.
  if (!verdict.ofTarget) return ++attempts.own >= maxAttempts
  const charged = attempts.charges + 1
  return (
    charged >= maxAttempts && (charged > 1 || workedRecently) && share.besides(operation) ** charged < chance
  )
}

/** Assumed before anything is known: half of this many are refused. Bad events come in groups. */
const before = { refused: 10, ended: 20 }

/**
 * Distinguishes "everything is refused" from "this event is bad": counts entities with a permanently refused
 * event since the target last accepted one. Twenty in a row are more than chance for a target that refuses no
 * more than half; for one that refuses nearly all, it takes up to a hundred and sixty.
 */
export class Refusals {
  /** Entities refused since the last delivery; several refusals of one entity say nothing about others. */
  readonly #keys = new Set<string>()
  /** Count from an earlier process. */
  #earlier = 0
  #refused = 0
  #ended = 0

  /** An earlier process saw this many in a row. */
  resume(run: number): void {
    this.#earlier = run
  }

  /** An event was delivered. Returns whether any had been refused since the previous delivery. */
  worked(): boolean {
    const run = this.#run
    // A run that was more than chance did not consist of bad events, so it says nothing about how frequent
    // those are.
    if (!this.isMoreThanChance) for (let index = 0; index < run; index++) this.#end(1)
    this.#end(0)
    this.#keys.clear()
    this.#earlier = 0
    return run > 0
  }

  /** An event of this entity was permanently refused. */
  refused(key: string): void {
    this.#keys.add(key)
  }

  /** One of a run that was more than chance is refused again while others are accepted: it is bad. */
  wasBad(): void {
    this.#end(1)
  }

  /** Whether the current run is more than chance. */
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
