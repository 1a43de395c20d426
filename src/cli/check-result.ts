import { isStreamConnectorError, type ErrorCode } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'

/** Result of one check. */
export interface CheckResult {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped'
  /** What was found; for a warning or failure, also what to do; for a skipped check, why. */
  readonly message: string
  readonly code?: ErrorCode | undefined
}

/** The check passed. */
export function ok(name: string, message: string): CheckResult {
  return { name, status: 'ok', message }
}

/** The check passed, but the operator should know something. */
export function warning(name: string, message: string): CheckResult {
  return { name, status: 'warning', message }
}

/** The check was skipped. */
export function skipped(name: string, why: string): CheckResult {
  return { name, status: 'skipped', message: why }
}

/** The check failed. @param code for failures described in words only. */
export function failed(name: string, error: unknown, code?: ErrorCode): CheckResult {
  return {
    name,
    status: 'failed',
    message: typeof error === 'string' ? error : describeError(error),
    code: isStreamConnectorError(error) ? error.code : code,
  }
}
