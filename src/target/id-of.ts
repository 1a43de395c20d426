import { StreamConnectorError } from '../errors/stream-connector-error.ts'

/**
 * The target's id as returned by a hook.
 *
 * @throws StreamConnectorError `HOOK_RESULT` if it is anything else.
 */
export function idOf(hook: string, id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined
  if (typeof id === 'string' || typeof id === 'number') return String(id)
  throw new StreamConnectorError(
    'HOOK_RESULT',
    `${hook}() returned a value of type ${typeof id}. Return the target's id as a string or number, or nothing.`,
  )
}
