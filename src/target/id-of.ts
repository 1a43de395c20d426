import { StreamConnectorError } from '../errors/stream-connector-error.ts'

/**
 * The target's id as a hook has returned it.
 *
 * @throws StreamConnectorError `HOOK_RESULT` when it is something else.
 */
export function idOf(hook: string, id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined
  if (typeof id === 'string' || typeof id === 'number') return String(id)
  throw new StreamConnectorError(
    'HOOK_RESULT',
    `${hook}() returned a value of type ${typeof id}. Return the target's id as text or number, or nothing.`,
  )
}
