import { z } from 'zod'
import { millisecondsOfIsoDate } from '../util/iso-date.ts'

/**
 * A place in the stream as an operator may write it: milliseconds since 1970 (13 digits), `<ms>-<seq>`, `0` for the
 * beginning, or an ISO date. It becomes `<ms>-<seq>`, the id of a Redis stream entry.
 */
export function streamPositionText() {
  return z.string().transform((text, context) => {
    const word = text.trim()
    if (/^0(?:-0)?$/.test(word)) return '0-0'
    if (/^\d{13}$/.test(word)) return `${word}-0`
    if (/^\d{13}-\d{1,19}$/.test(word)) return word
    const milliseconds = millisecondsOfIsoDate(word)
    if (milliseconds !== undefined && milliseconds >= 0) return `${milliseconds}-0`
    context.addIssue({ code: 'custom', message: messageFor(word) })
    return z.NEVER
  })
}

function messageFor(word: string): string {
  // With seconds, pycti silently replays everything since 1970 (OpenCTI connectors, issue 7590).
  if (/^\d{10}$/.test(word))
    return 'holds seconds, but must hold milliseconds since 1970 (13 digits): add three zeros'
  if (/^\d{16}$/.test(word)) return 'holds microseconds, but must hold milliseconds since 1970 (13 digits)'
  return 'must be milliseconds since 1970 (13 digits), such a number with -sequence, or an ISO date'
}
