import { errorFacts } from './error-facts.ts'
import { isStreamConnectorError } from './stream-connector-error.ts'

/** Codes of our own errors after which nobody knows what a call has done, or after which it surely has done something. */
const unclear: ReadonlySet<string> = new Set(['RETRYABLE', 'HOOK_TIMEOUT', 'HOOK_RESULT'])

/**
 * Whether a call that failed may still have had its effect at the target: because its answer is missing, or says nothing of it. A
 * target that answers with 4xx has refused, except with 408.
 */
export function mayHaveHadEffect(error: unknown): boolean {
  if (isStreamConnectorError(error) && !unclear.has(error.code)) return false
  const { status = 500 } = errorFacts(error, 0)
  return status < 400 || status >= 500 || status === 408
}
