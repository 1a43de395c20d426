import { errorFacts, type ErrorFacts } from './error-facts.ts'
import { type PlatformError } from './platform-error.ts'
import { isStreamConnectorError } from './stream-connector-error.ts'
import { jsonText } from '../util/json-text.ts'
import { shortened } from '../util/shortened.ts'

/**
 * What is done about an error of a hook:
 * - `retry`: it may work later;
 * - `outage`: it will work for no event until somebody mends the target (401, 403), or the platform that a look-up asked;
 * - `reject`: it will never work for this event;
 * - `skip`: the author does not want this event;
 * - `stop`: the author says that the connector cannot go on.
 */
export interface Verdict {
  readonly kind: 'retry' | 'outage' | 'reject' | 'skip' | 'stop'
  /** Why, in words: for logs, dead letters and skip counts. */
  readonly reason: string
  readonly facts: ErrorFacts
  /**
   * Whether the error says something of the target as a whole: no answer, overloaded, broken. If so, it is held
   * against this event only when the target is known to work for others.
   */
  readonly ofTarget: boolean
  /** Whether it was a look-up at the OpenCTI platform that failed, or our own state: that says nothing of the target. */
  readonly ofPlatform: boolean
  /** Whether the target has too much to do, and says so (429, or 503 with `Retry-After`): that says nothing of the event. */
  readonly isOverload: boolean
}

const retryableStatuses: ReadonlySet<number> = new Set([408, 425, 429])

/** Codes of errors that will be the same at every try. */
const rejecting: ReadonlySet<string> = new Set([
  'PERMANENT',
  'HOOK_RESULT',
  'HOOK_MISSING',
  'EXTERNAL_ID_UNKNOWN',
])

/**
 * Judges an error by what it carries.
 *
 * @param hook whether it was thrown by a hook that speaks to the target; an unexplained error is then tried again,
 *   elsewhere (`transform`) it is taken for a bug.
 * @param nowMs wall time, for a `Retry-After` that is a date.
 */
export function judge(error: unknown, hook: boolean, nowMs: number): Verdict {
  try {
    return verdictOf(error, hook, nowMs)
  } catch {
    // Its own code runs when it is read, and throws.
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
    // Our own state cannot be read: that says nothing of the event nor of the target, and is waited for.
    if (error.code.startsWith('STATE_')) return verdict('outage', false, true)
    if (error.code === 'RETRYABLE' || error.code === 'HOOK_TIMEOUT') return verdict('retry', true)
  }
  const platform = platformErrorIn(error)
  if (platform !== undefined) {
    // A platform that is away, or does not take the token, is waited for; what it answers with an error may never work.
    if (platform.code !== 'PLATFORM_ERROR') return verdict('outage', false, true)
    return verdict(platform.problem === 'invalid-query' ? 'reject' : 'retry', false, true)
  }
  const { status } = facts
  if (status !== undefined) {
    if (status === 401 || status === 403 || status === 407) return verdict('outage', true)
    if (retryableStatuses.has(status) || status >= 500) return verdict('retry', true)
    // Somebody else is writing to the same: over at the next try, or a conflict of this event alone.
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

/** With the spaces that indent what follows. */
const lineBreaks = /[\r\n\u2028\u2029]\s*/g

/**
 * An error in one line of words, with the cause where the error itself says little. What is thrown need not be an
 * error at all.
 */
export function describeError(error: unknown): string {
  try {
    return descriptionOf(error).replaceAll(lineBreaks, ' ')
  } catch {
    return 'an error that cannot be read was thrown'
  }
}

function descriptionOf(error: unknown): string {
  if (!(error instanceof Error)) return `a value that is no Error was thrown (${typeof error})`
  // The names of our own errors are for authors; what they were given to say is for everybody.
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

/** How deep an error may be wrapped. */
const maxWrapping = 4

/** The failure of a look-up, also where the author's code has wrapped it. */
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

/** The longest part of a target's own words that is repeated, in characters. */
const maxAnswer = 300

/** What the target answered, where the client kept it: ky in `data`, axios in `response.data`. */
function answerText(error: Error, message: string): string {
  const { data, response } = error as { data?: unknown; response?: { data?: unknown } }
  const answer = data ?? response?.data
  if (answer === undefined || answer === null || answer === '') return ''
  const text = typeof answer === 'string' ? answer : (jsonText(answer) ?? '')
  return text === '' || message.includes(text) ? '' : `: ${shortened(text, maxAnswer)}`
}

/** What `fetch` says of everything that goes wrong below it; the cause below it tells. */
const emptyCause = 'fetch failed'

/** What caused an error, in words. */
function causeOf(error: Error): string {
  let { cause } = error
  if (cause instanceof Error && cause.message === emptyCause && cause.cause instanceof Error)
    cause = cause.cause
  return cause instanceof Error ? causeText(cause) : ''
}

function causeText(cause: Error): string {
  const { code } = cause as { code?: unknown }
  const message = messageOf(cause)
  // What was tried at several addresses has a code and no words.
  if (message === '') return typeof code === 'string' ? code : ''
  return typeof code === 'string' && !message.includes(code) ? `${code}: ${message}` : message
}

/** zod, valibot, ajv and others carry a list of what is wrong. */
function isValidationError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { issues } = error as { issues?: unknown }
  return Array.isArray(issues)
}
