import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { comparePositions, parsePosition, SqliteStore } from 'opencti-stream-connector'
import { type Effect } from './target.ts'

/** Why an effect may be done again after a kill. */
export type Excuse =
  /** Its answer had not reached the connector. */
  | 'in-flight'
  /** It was answered, and the next commit had not been made. */
  | 'not-written'

/** What the saved state does not know of, at one kill. */
export interface Unsaved {
  /** By `key@position`. */
  readonly excuses: ReadonlyMap<string, Excuse>
  /** How long before the kill the oldest of this life's was answered that were not written, in milliseconds. */
  readonly oldestUnwrittenMs: number
}

export function nameOf({ key, position }: Pick<Effect, 'key' | 'position'>): string {
  return `${key}@${position}`
}

/**
 * Compares what was done at the target with what a connector that was killed has left in its state file.
 *
 * @param life the one that was killed.
 * @param killedAtMs by `performance.now()`.
 */
export async function unsavedOf(
  journal: readonly Effect[],
  connectorId: string,
  directory: string,
  life: number,
  killedAtMs: number,
): Promise<Unsaved> {
  const excuses = new Map<string, Excuse>()
  let oldestUnwrittenMs = 0
  const store = await openState(connectorId, directory)
  const state = store === undefined ? undefined : await store.value('state')
  const saved = parsePosition(
    state === undefined ? '' : (JSON.parse(state) as { start_from: string }).start_from,
  )
  const departures = await store?.departures()
  for (const effect of journal) {
    const position = parsePosition(effect.position)!
    if (saved !== undefined && comparePositions(position, saved) <= 0) continue
    const record = await store?.entity(effect.key)
    const known = parsePosition(record?.position ?? departures?.get(effect.key) ?? '')
    if (known !== undefined && comparePositions(position, known) <= 0) continue
    const excuse = effect.answeredAtMs === undefined ? 'in-flight' : 'not-written'
    excuses.set(nameOf(effect), excuse)
    if (excuse === 'not-written' && effect.life === life)
      oldestUnwrittenMs = Math.max(oldestUnwrittenMs, killedAtMs - effect.answeredAtMs!)
  }
  await store?.close()
  return { excuses, oldestUnwrittenMs }
}

/** A child that was killed early may have left no state, or half of one. */
async function openState(connectorId: string, directory: string): Promise<SqliteStore | undefined> {
  if (!existsSync(join(directory, `${connectorId}.sqlite`))) return undefined
  const store = new SqliteStore({ directory, connectorId, access: 'read-only' })
  try {
    await store.open(connectorId)
    return store
  } catch {
    return undefined
  }
}
