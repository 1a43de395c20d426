import { maxTextCharacters } from '../observe/status/recent-errors.ts'
import { type StatusDetails } from '../observe/status/status-report.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { shortened } from '../util/shortened.ts'
import { type Assembly } from './assembly.ts'

/** Dead letters that are told. */
const maxLetters = 5

/**
 * What is looked up for the status page: among what waits, and in the store.
 *
 * @param clean takes secrets out of a text.
 */
export async function statusDetails(
  { engine, isOpened, deadLetters }: Assembly,
  store: StateStore,
  clock: Clock,
  clean: (text: string) => string,
): Promise<StatusDetails> {
  const oldest = engine.oldest()
  const told = (text: string) => shortened(clean(text), maxTextCharacters)
  return {
    oldestWaiting:
      oldest === undefined
        ? null
        : {
            entityId: told(oldest.entity.id),
            entityType: told(oldest.entity.type),
            kind: oldest.kind,
            waitingMs: Math.max(0, Math.round(clock.monotonic() - oldest.pushedMs)),
            attempts: oldest.tries.count,
            lastFailure: told(oldest.tries.lastFailure),
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
    // The state cannot be read, or is closed already: the page says so elsewhere, and the rest of it is worth having.
    return []
  }
}
