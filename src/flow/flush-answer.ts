import { RetryableError, PermanentError } from '../errors/steering-errors.ts'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { isThenable } from '../util/is-thenable.ts'

/**
 * Result of one item of a batch: `'ok'`, or an object with the id the target assigned; `retry` if it may work
 * later, `reject` if it never will.
 *
 * @example
 * ```ts
 * import { type FlushResult } from 'opencti-stream-connector'
 *
 * const results: FlushResult[] = ['ok', { status: 'ok', externalId: '4711' }, { status: 'reject', reason: 'no such list' }]
 * console.log(results.length)
 * ```
 */
export type FlushResult =
  | 'ok'
  | 'retry'
  | 'reject'
  | { readonly status: 'ok'; readonly externalId?: string | number | undefined }
  | {
      readonly status: 'retry'
      readonly reason?: string | undefined
      readonly retryAfterMs?: number | undefined
    }
  | { readonly status: 'reject'; readonly reason?: string | undefined }

/** A normalized {@link FlushResult}; `unusable` if it says nothing about its item. */
export type ItemAnswer =
  | { readonly status: 'ok'; readonly externalId?: string | number | undefined }
  | { readonly status: 'retry' | 'reject' | 'unusable'; readonly error: StreamConnectorError }

/**
 * Reads what `flush` returned: nothing if all succeeded, or one result per operation.
 *
 * @throws StreamConnectorError `HOOK_RESULT` if it is neither. It is then unknown what happened to which
 *   item, and each is eventually tried alone.
 */
export function readFlushResults(results: unknown, count: number): readonly ItemAnswer[] {
  if (results === undefined || results === null || results === 'ok')
    return Array.from({ length: count }, () => ok)
  if (!Array.isArray(results) || results.length !== count) {
    const got = Array.isArray(results) ? `${results.length} results` : `a value of type ${typeof results}`
    throw new StreamConnectorError(
      'HOOK_RESULT',
      `flush() returned ${got} for ${count} operations. Return one result per operation, in the same order, or nothing if all succeeded.`,
    )
  }
  // An empty slot is an answer, too.
  return Array.from(results, (result: unknown) => readResult(result))
}

const ok: ItemAnswer = { status: 'ok' }

function readResult(result: unknown): ItemAnswer {
  try {
    return readStatus(result)
  } catch {
    // A getter of the result itself threw.
    return unusable(
      'flush() returned a result that cannot be read. Return ok, retry, or reject for each operation.',
    )
  }
}

function readStatus(result: unknown): ItemAnswer {
  if (result === 'ok') return ok
  if (isThenable(result)) {
    // Nobody else awaits it, and its rejection would end the process.
    result.then(undefined, () => {})
    return unusable(
      'flush() returned a promise for an operation. Await all of them before you return: await Promise.all(…).',
    )
  }
  const { status, reason, externalId, retryAfterMs } = (
    typeof result === 'object' && result !== null ? result : { status: result }
  ) as { status?: unknown; reason?: unknown; externalId?: unknown; retryAfterMs?: unknown }
  const text = typeof reason === 'string' && reason !== '' ? reason : undefined
  switch (status) {
    case 'ok':
      return typeof externalId === 'string' || typeof externalId === 'number' ? { status, externalId } : ok
    case 'retry': {
      const waitMs = typeof retryAfterMs === 'number' ? retryAfterMs : undefined
      return {
        status,
        error: new RetryableError(text ?? 'the target asked to retry', { retryAfterMs: waitMs }),
      }
    }
    case 'reject':
      return { status, error: new PermanentError(text ?? 'the target rejected the item') }
    default:
      return unusable(
        'flush() returned a result other than ok, retry, or reject. Return one of them for each operation.',
      )
  }
}

function unusable(message: string): ItemAnswer {
  return { status: 'unusable', error: new StreamConnectorError('HOOK_RESULT', message) }
}
