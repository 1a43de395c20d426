import { type EventLog } from './event-log.ts'

/** Extent of the history, for `connected` frames and `redisStreamInfo`. */
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
