import { StateError } from '../errors/state-error.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'

const setting = 'CONNECTOR_STATE_URL'

/** What to do about an SQLSTATE, by state or class (PostgreSQL documentation, appendix A). */
const meanings: Readonly<Record<string, string>> = {
  '28': `the server refuses the user or the password. Correct ${setting}`,
  '3D000': `the database does not exist. Create it, or correct ${setting}`,
  '3F': 'the schema does not exist. Create it, or correct the search_path of the user',
  '42501': 'the user lacks a permission. Grant it the right to create tables and functions in its schema',
  '53100': 'the disk of the server is full. Free up space; the connector then continues',
  '53300':
    'the server has too many connections. Raise max_connections, or close others; the connector then continues',
  '25006': 'the server is a standby that accepts no writes. The connector continues once one does',
}

/** States of a server that is about to come back, or about to be replaced. */
const awayStates = /^(?:08|53|57|58|25006)/

/** Errors of TLS, which do not resolve by waiting. */
const tlsCode = /^(?:ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED)/

/** Whether the server is unreachable for now, as opposed to something a person must fix. */
export function isAway(error: unknown): boolean {
  if (isStreamConnectorError(error)) return false
  const state = sqlStateOf(error)
  if (state !== undefined) return awayStates.test(state)
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string' && (tlsCode.test(code) || code === 'ENOENT' || code === 'EACCES')) return false
  return !/does not support SSL|password must be a string|SASL|no password/i.test(String(message))
}

/** Whether the connection is unusable after this error, and the call may be made again on another one. */
export function isOfConnection(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === undefined || /^(?:08|57P)/.test(state)
}

/**
 * Explains what a failure of PostgreSQL means for the state, and what to do.
 *
 * @param place the server and database, without secrets.
 */
export function postgresqlFailure(error: unknown, doing: 'reading' | 'writing', place: string): Error {
  if (isStreamConnectorError(error)) return error
  const subject = `The state in PostgreSQL (${place}, ${setting})`
  const why = whyOf(error)
  return doing === 'writing'
    ? new StateError('STATE_NOT_WRITTEN', `${subject} could not be written: ${why}.`, { cause: error })
    : new StateError('STATE_UNREADABLE', `${subject} could not be read: ${why}.`, { cause: error })
}

function whyOf(error: unknown): string {
  const state = sqlStateOf(error)
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (state !== undefined) {
    const meaning = meanings[state] ?? meanings[state.slice(0, 2)]
    return meaning === undefined ? `${String(message)} (${state})` : `${meaning} (${state})`
  }
  if (/password must be a string|no password/i.test(String(message)))
    return `the server asks for a password, and ${setting} has none`
  // Several addresses of one host were tried; the message is empty then.
  const errors = (error as { errors?: unknown }).errors
  const inner: unknown = Array.isArray(errors) ? errors[0] : undefined
  if (inner !== undefined) return whyOf(inner)
  const text = typeof message === 'string' && message !== '' ? message : 'unknown failure'
  return typeof code === 'string' && !text.includes(code) ? `${text} (${code})` : text
}

function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined
}
