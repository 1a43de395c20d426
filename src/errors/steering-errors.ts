import { StreamConnectorError, type StreamConnectorErrorOptions } from './stream-connector-error.ts'

/** What a {@link RetryableError} may be given beside its message. */
export interface RetryableErrorOptions extends StreamConnectorErrorOptions {
  /** How long the target asked us to wait, in milliseconds; all events wait that long, not only this one. */
  readonly retryAfterMs?: number | undefined
}

/**
 * Thrown by a hook: this did not work now, try it again.
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
  /** How long the target asked us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined

  static {
    this.prototype.name = 'RetryableError'
  }

  constructor(message: string, options?: RetryableErrorOptions) {
    super('RETRYABLE', message, options)
    this.retryAfterMs = options?.retryAfterMs
  }
}

/**
 * Thrown by a hook: the target will never take this event; it becomes a dead letter at once.
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
 * Thrown by a hook: this event is not wanted. It is counted as skipped, with the message as its reason.
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

  /** @param reason why, in a few words that do not change from event to event: skips are counted by it. */
  constructor(reason: string) {
    super('SKIP', reason)
  }
}

/**
 * Thrown by a hook: the connector cannot go on. It finishes what is in flight, saves, and `run()` exits with 1.
 * The event that threw it is not finished and comes again at the next start.
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
