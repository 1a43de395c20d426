import { type Verdict } from '../errors/verdict.ts'
import { type FailureShare } from './failure-share.ts'
import { type Operation } from '../events/operation.ts'
import { type Outage } from './outage.ts'

/** What is less likely than this is not taken for chance. */
const chance = 1e-6

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
