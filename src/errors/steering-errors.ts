import { StreamConnectorError, type StreamConnectorErrorOptions } from './stream-connector-error.ts'

/**
 * Throw from a hook to retry the event later.
 *
 * @example
 * ```ts
 * import { RetryableError } from 'opencti-stream-connector'
 *
 * function refuse(): never {
 *   throw new RetryableError('the list is locked by another writer', { retryAfterMs: 2000 })
 * }
 * ```
 */
export class RetryableError extends StreamConnectorError {
  /** Pause the target asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined

  static {
    this.prototype.name = 'RetryableError'
  }

  constructor(message: string, options?: RetryableErrorOptions) {
    super('RETRYABLE', message, options)
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** Options of a {@link RetryableError}. */
export interface RetryableErrorOptions extends StreamConnectorErrorOptions {
  /** Pause the target asked for, in milliseconds. All events wait, not just this one. */
  readonly retryAfterMs?: number | undefined
}

/**
 * Throw from a hook if the target will never accept this event. It becomes a dead letter immediately.
 *
 * @example
 * ```ts
 * import { PermanentError } from 'opencti-stream-connector'
 *
 * function refuse(): never {
 *   throw new PermanentError('the SIEM knows no observable of this type')
 * }
 * ```
 */
export class PermanentError extends StreamConnectorError {
  static {
    this.prototype.name = 'PermanentError'
  }

  constructor(message: string, options?: StreamConnectorErrorOptions) {
    super('PERMANENT', message, options)
  }
}

/**
 * Throw from a hook to skip an unwanted event. The message is counted as the skip reason.
 *
 * @example
 * ```ts
 * import { SkipEvent } from 'opencti-stream-connector'
 *
 * function refuse(): never {
 *   throw new SkipEvent('internal-range')
 * }
 * ```
 */
export class SkipEvent extends StreamConnectorError {
  static {
    this.prototype.name = 'SkipEvent'
  }

  /** @param reason a short, constant reason: skips are counted by it. */
  constructor(reason: string) {
    super('SKIP', reason)
  }
}

/**
 * Throw from a hook if the connector cannot continue. It finishes work in flight, saves, and `run()` exits
 * with 1. The event that threw stays unfinished and is delivered again at the next start.
 *
 * @example
 * ```ts
 * import { StopConnector } from 'opencti-stream-connector'
 *
 * function stop(): never {
 *   throw new StopConnector('the license of the SIEM has expired')
 * }
 * ```
 */
export class StopConnector extends StreamConnectorError {
  static {
    this.prototype.name = 'StopConnector'
  }

  constructor(message: string, options?: StreamConnectorErrorOptions) {
    super('STOP', message, options)
  }
}
