import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { comparePositions, parsePosition, type Position } from '../util/position.ts'
import { type StateStore } from '../store/state-store.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { keepTrying, type KeepTryingOptions } from './keep-trying.ts'
import { type SessionStart } from './session-start.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Value of {@link storedValues.voidPosition} that voids whatever position is returned at the next start. */
export const anyPosition = '*'

/**
 * Gives the position an author stored together with effects precedence over ours and the platform's. What a
 * person did takes precedence over the author's: a reset or edit on the platform while we were away,
 * `opencti-stream state`, or a reset since the author stored it.
 */
export async function startWhereAuthorSays(
  start: SessionStart,
  options: AuthorPositionOptions,
  signal: AbortSignal,
): Promise<SessionStart> {
  const { hooks, store } = options
  // The claims on the target's items are unknown: the platform sends everything again.
  if (hooks.loadPosition === undefined || start.lostClaims !== undefined) return start
  const load = async () => hooks.loadPosition!(signal)
  const what = 'The position that the connector has stored cannot be read yet'
  const text = await keepTrying(load, what, options, signal, () => true)
  const position = read(text)
  const voided = await store.value(storedValues.voidPosition)
  if (start.isAnew || start.isReset || voided === anyPosition) {
    // Until the author stores another one.
    await store.commit({ values: new Map([[storedValues.voidPosition, text ?? undefined]]) })
    return start
  }
  if (position === undefined || text === voided) return start
  return {
    ...start,
    state: { ...start.state, startFrom: position, recoverUntil: recoveryOf(start, position) },
    // It ran here before, but there is no record of what was pushed then.
    isTaken: start.source !== 'local',
  }
}

export interface AuthorPositionOptions extends KeepTryingOptions {
  readonly hooks: Pick<ConnectorHooks, 'loadPosition'>
  readonly store: StateStore
}

/** A first start would catch up on everything; continuing from a later position is not a first start. */
function recoveryOf({ source, state }: SessionStart, position: Position): string | false | undefined {
  if (source !== 'settings') return state.recoverUntil
  const isAtBeginning = state.startFrom !== undefined && comparePositions(state.startFrom, position) === 0
  return isAtBeginning ? state.recoverUntil : false
}

function read(text: unknown): Position | undefined {
  if (text === undefined || text === null) return undefined
  const position = typeof text === 'string' ? parsePosition(text) : undefined
  if (position !== undefined) return position
  throw new StreamConnectorError(
    'HOOK_RESULT',
    'loadPosition() returned something that is not a position. Return a former context.safePosition, or undefined.',
  )
}
