import { type Verdict } from '../errors/verdict.ts'
import { type Operation } from './operation.ts'
import { type Outage } from './outage.ts'

/**
 * Enters a failure that may pass in the account of its operation. Answers whether its tries are used up with that. A
 * failure that may be the target's is only held against the event when the target has worked for others since: an
 * outage, however long, uses up nothing. Neither does a platform that does not answer look-ups.
 *
 * @param attempts tries of one event in all, while the target otherwise works.
 */
export function isHeldAgainst(
  operation: Operation,
  verdict: Verdict,
  outage: Outage,
  attempts: number,
): boolean {
  if (verdict.ofPlatform && verdict.kind === 'outage') return false
  const { successes, reason, workedRecently } = outage
  const isFirst = operation.failedAtSuccess < 0
  const isCharged = successes > operation.failedAtSuccess || !operation.failureOfTarget
  operation.failedAtSuccess = successes
  operation.failureOfTarget = verdict.ofTarget
  if (reason !== undefined) return false
  if (!isFirst && isCharged) operation.charges++
  if (operation.charges + 1 < attempts) return false
  return !verdict.ofTarget || operation.charges > 0 || workedRecently
}
