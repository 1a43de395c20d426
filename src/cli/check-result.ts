import { isStreamConnectorError, type ErrorCode } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'

/** What was looked at, and how it is. */
export interface CheckResult {
  readonly name: string
  readonly status: 'ok' | 'failed' | 'skipped'
  /** What was found; for a failure also what to do, for what was skipped why. */
  readonly message: string
  readonly code?: ErrorCode | undefined
}

/** All is well with it. */
export function ok(name: string, message: string): CheckResult {
  return { name, status: 'ok', message }
}

/** It could not be looked at. */
export function skipped(name: string, why: string): CheckResult {
  return { name, status: 'skipped', message: why }
}

/** It is not as it has to be. @param code for what is told in words alone. */
export function failed(name: string, error: unknown, code?: ErrorCode): CheckResult {
  return {
    name,
    status: 'failed',
    message: typeof error === 'string' ? error : describeError(error),
    code: isStreamConnectorError(error) ? error.code : code,
  }
}
