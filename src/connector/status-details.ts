import { maxTextCharacters } from '../observe/status/recent-errors.ts'
import { type StatusDetails } from '../observe/status/status-report.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { type Redactor } from '../util/redactor.ts'
import { shortened } from '../util/shortened.ts'
import { type Assembly } from './assembly.ts'

/** Number of dead letters to show. */
const maxLetters = 5

/**
 * Details for the status page, from the queues and the store.
 *
 * @param redactor redacts secrets.
 */
export async function statusDetails(
  { engine, isOpened, deadLetters }: Assembly,
  store: StateStore,
  clock: Clock,
  redactor: Pick<Redactor, 'clean'>,
): Promise<StatusDetails> {
  const oldest = engine.oldest()
  const told = (text: string) => shortened(redactor.clean(text), maxTextCharacters)
  return {
    oldestWaiting:
      oldest === undefined
        ? null
        : {
            entityId: told(oldest.entity.id),
            entityType: told(oldest.entity.type),
            kind: oldest.kind,
            waitingMs: Math.max(0, Math.round(clock.monotonic() - oldest.pushedMs)),
            attempts: oldest.attempts.count,
            lastFailure: told(oldest.attempts.lastFailure),
          },
    newestDeadLetters: isOpened && deadLetters.count > 0 ? await newestLetters(store, told) : [],
  }
}

async function newestLetters(
  store: StateStore,
  told: (text: string) => string,
): Promise<StatusDetails['newestDeadLetters']> {
  try {
    const letters = await store.deadLetters({ limit: maxLetters, withoutData: true, newestFirst: true })
    return letters.map((letter) => ({
      id: letter.id,
      eventType: told(letter.eventType),
      entityId: letter.entityId === undefined ? undefined : told(letter.entityId),
      entityType: letter.entityType === undefined ? undefined : told(letter.entityType),
      attempts: letter.attempts,
      lastAtMs: letter.lastAtMs,
      error: told(letter.error),
    }))
  } catch {
    // The state is unreadable or already closed. The page reports that elsewhere, and the rest of it is still
    // useful.
    return []
  }
}
