import { errorFacts, type ErrorFacts } from './error-facts.ts'
import { type PlatformError } from './platform-error.ts'
import { isStreamConnectorError } from './stream-connector-error.ts'
import { jsonText } from '../util/json-text.ts'
import { shortened } from '../util/shortened.ts'

/**
 * What to do about an error from a hook:
 * - `retry`: it may work later
 * - `outage`: no event will work until someone fixes the target (401, 403), or the platform a lookup queried
 * - `reject`: this event will never work
 * - `skip`: the author does not want this event
 * - `stop`: the author says the connector cannot continue
 */
export interface Verdict {
  readonly kind: 'retry' | 'outage' | 'reject' | 'skip' | 'stop'
  /** The reason, for logs, dead letters, and skip counts. */
  readonly reason: string
  readonly facts: ErrorFacts
  /**
   * Whether the error concerns the target as a whole: no response, overloaded, broken. It then counts against
   * this event only if the target is known to work for others.
   */
  readonly ofTarget: boolean
  /** Whether a platform lookup or our own state failed, which says nothing about the target. */
  readonly ofPlatform: boolean
  /**
   * Whether the target says it is overloaded (429, or 503 with `Retry-After`), which says nothing about the
   * event.
   */
  readonly isOverload: boolean
}

const retryableStatuses: ReadonlySet<number> = new Set([408, 425, 429])

/** Codes of errors that recur at every attempt. */
const rejecting: ReadonlySet<string> = new Set([
  'PERMANENT',
  'HOOK_RESULT',
  'HOOK_MISSING',
  'EXTERNAL_ID_UNKNOWN',
])

/**
 * Classifies an error by what it carries.
 *
 * @param hook whether it came from a hook that calls the target. An unexplained error is then retried;
 *   elsewhere (`transform`) it counts as a bug.
 * @param nowMs wall time, for a `Retry-After` that is a date.
 */
export function judge(error: unknown, hook: boolean, nowMs: number): Verdict {
  try {
    return verdictOf(error, hook, nowMs)
  } catch {
    // A getter or proxy of the error itself threw.
    const facts = { isNetwork: false, isTimeout: false, isBug: false }
    const kind = hook ? 'retry' : 'reject'
    return {
      kind,
      reason: describeError(error),
      facts,
      ofTarget: false,
      ofPlatform: false,
      isOverload: false,
    }
  }
}

function verdictOf(error: unknown, hook: boolean, nowMs: number): Verdict {
  const facts = errorFacts(error, nowMs)
  const reason = describeError(error)
  const verdict = (kind: Verdict['kind'], ofTarget = false, ofPlatform = false): Verdict => ({
    kind,
    reason,
    facts,
    ofTarget,
    ofPlatform,
    isOverload: kind === 'retry' && ofTarget && isOverload(facts),
  })
  if (isStreamConnectorError(error)) {
    if (error.code === 'SKIP') return verdict('skip')
    if (error.code === 'STOP') return verdict('stop')
    if (rejecting.has(error.code)) return verdict('reject')
    if (error.code === 'LOOKUP_TOO_LARGE') return verdict('reject', false, true)
    // Our own state is unreadable. Says nothing about the event or the target, so wait.
    if (error.code.startsWith('STATE_')) return verdict('outage', false, true)
    if (error.code === 'RETRYABLE' || error.code === 'HOOK_TIMEOUT') return verdict('retry', true)
  }
  const platform = platformErrorIn(error)
  if (platform !== undefined) {
    // Wait for a platform that is down or refuses the token. An error response may never turn into a success.
    if (platform.code !== 'PLATFORM_ERROR') return verdict('outage', false, true)
    return verdict(platform.problem === 'invalid-query' ? 'reject' : 'retry', false, true)
  }
  const { status } = facts
  if (status !== undefined) {
    if (status === 401 || status === 403 || status === 407) return verdict('outage', true)
    if (retryableStatuses.has(status) || status >= 500) return verdict('retry', true)
    // Concurrent write: gone at the next attempt, or a conflict of this event alone.
    if (status === 409) return verdict('retry')
    if (status >= 400) return verdict('reject')
  }
  if (facts.isNetwork) return verdict('retry', true)
  if (facts.isBug || isValidationError(error) || !hook) return verdict('reject')
  return verdict('retry')
}

function isOverload({ status, retryAfterMs }: ErrorFacts): boolean {
  return status === 429 || (status === 503 && retryAfterMs !== undefined)
}

/** Line breaks, with the indentation that follows. */
const lineBreaks = /[\r\n\u2028\u2029]\s*/g

/**
 * Describes an error in one line, adding the cause if the error alone says little. Accepts any thrown value.
 */
export function describeError(error: unknown): string {
  try {
    return descriptionOf(error).replaceAll(lineBreaks, ' ')
  } catch {
    return 'the thrown error cannot be read'
  }
}

function descriptionOf(error: unknown): string {
  if (!(error instanceof Error)) return `a value that is not an Error was thrown (${typeof error})`
  // The names of our own errors are for authors; their messages are for everyone.
  const message = messageOf(error)
  const isPlain = error.name === 'Error' || message.startsWith(error.name) || isStreamConnectorError(error)
  const name = isPlain ? '' : `${error.name}: `
  const cause = causeOf(error)
  const isTold = cause === '' || cause === emptyCause || message.includes(cause)
  return `${name}${message || 'no message'}${answerText(error, message)}${isTold ? '' : ` (${cause})`}`
}

/** Some libraries put an object where the text belongs. */
function messageOf(error: Error): string {
  const message: unknown = error.message
  return typeof message === 'string' ? message : shortened(jsonText(message) ?? '', maxAnswer)
}

/** Maximum number of wrapping errors to unwrap. */
const maxWrapping = 4

/** Finds a lookup failure, even if the author's code wrapped it. */
function platformErrorIn(error: unknown): PlatformError | undefined {
  let current = error
  for (let depth = 0; depth < maxWrapping && current instanceof Error; depth++) {
    if (isStreamConnectorError(current)) {
      return current.code.startsWith('PLATFORM_') ? (current as PlatformError) : undefined
    }
    current = current.cause
  }
  return undefined
}

/** Longest part of a target's response to repeat, in characters. */
const maxAnswer = 300

/** The response body, if the client kept it: ky in `data`, axios in `response.data`; what PostgreSQL adds, in `detail`. */
function answerText(error: Error, message: string): string {
  const { data, response, detail } = error as {
    data?: unknown
    response?: { data?: unknown }
    detail?: unknown
  }
  const answer = data ?? response?.data ?? detail
  if (answer === undefined || answer === null || answer === '') return ''
  const text = typeof answer === 'string' ? answer : (jsonText(answer) ?? '')
  return text === '' || message.includes(text) ? '' : `: ${shortened(text, maxAnswer)}`
}

/** `fetch` says this for every lower-level failure; its cause has the reason. */
const emptyCause = 'fetch failed'

/** Describes the cause of an error. */
function causeOf(error: Error): string {
  let { cause } = error
  if (cause instanceof Error && cause.message === emptyCause && cause.cause instanceof Error)
    cause = cause.cause
  return cause instanceof Error ? causeText(cause) : ''
}

function causeText(cause: Error): string {
  const { code } = cause as { code?: unknown }
  const message = messageOf(cause)
  // A failure across several addresses has a code but no message.
  if (message === '') return typeof code === 'string' ? code : ''
  return typeof code === 'string' && !message.includes(code) ? `${code}: ${message}` : message
}

/** zod, valibot, ajv, and others attach a list of issues. */
function isValidationError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { issues } = error as { issues?: unknown }
  return Array.isArray(issues)
}
