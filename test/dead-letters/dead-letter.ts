import { type NewDeadLetter } from 'opencti-stream-connector'

/** A dead letter about an indicator of its own; its times are seconds apart. */
export function deadLetter(number: number, changes: Partial<NewDeadLetter> = {}): NewDeadLetter {
  const id = `indicator--${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`
  return {
    key: `key-${number}`,
    eventType: 'create',
    entityId: id,
    entityType: 'indicator',
    position: `${1_700_000_000_000 + number}-0`,
    attempts: 1,
    firstAtMs: 1000 * number,
    lastAtMs: 1000 * number,
    error: `refused ${number}`,
    data: JSON.stringify({ data: { id, type: 'indicator' }, version: '4' }),
    ...changes,
  }
}
