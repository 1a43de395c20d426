import { type EventLog } from './event-log.ts'

/** The extent of the history as `connected` frames and `redisStreamInfo` show it. */
export function describeLog({ first, last, length }: EventLog): Record<string, unknown> {
  return {
    lastEventId: last?.idText ?? '0-0',
    firstEventId: first?.idText ?? '0-0',
    firstEventDate: dateOf(first?.id.ms),
    lastEventDate: dateOf(last?.id.ms),
    streamSize: length,
  }
}

function dateOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
