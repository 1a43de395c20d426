import { type StreamNotice } from '../../stream/stream-notice.ts'
import { type NoticeWords } from './notice-words.ts'

/** Words for a live stream notice. */
export function wordsOfStreamNotice(notice: StreamNotice): NoticeWords {
  const words = lineOf(notice)
  if (!('error' in notice)) return words
  return { ...words, error: { what: `live stream ${notice.kind}`, text: notice.error.message } }
}

function lineOf(notice: StreamNotice): NoticeWords {
  switch (notice.kind) {
    case 'connecting':
    case 'flowing':
    case 'resumed':
    case 'reconnecting':
      return { level: 'debug', message: `Live stream: ${notice.kind}` }
    case 'connected':
      return { level: 'info', message: 'Live stream connected' }
    case 'ended':
      return {
        level: 'info',
        message: 'Live stream ended by the server; reconnecting',
        attributes: retryIn(notice),
      }
    case 'held':
      return {
        level: 'debug',
        message: 'Live stream paused until there is room for more events',
        attributes: { held_ms: Math.round(notice.heldMs) },
      }
    case 'hung-up':
      return {
        level: 'info',
        message: 'Live stream closed until there is room for more events',
        attributes: { held_ms: Math.round(notice.heldMs) },
      }
    case 'bursty':
      return {
        level: 'warn',
        message: 'Heartbeats arrive in bursts: a proxy buffers the stream (nginx: set proxy_buffering off)',
      }
    case 'silent':
      return {
        level: 'error',
        message: `Live stream: ${notice.error.message}; reconnecting`,
        attributes: retryIn(notice),
      }
    case 'refused': {
      // A Retry-After longer than our wait suggests that something other than the platform refuses.
      const level = (notice.retryAfterMs ?? 0) > notice.retryInMs ? 'error' : 'warn'
      return { level, message: notice.error.message, attributes: retryIn(notice) }
    }
    default:
      return { level: 'warn', message: notice.error.message, attributes: retryIn(notice) }
  }
}

function retryIn({ retryInMs }: { readonly retryInMs: number }) {
  return { retry_in_ms: Math.round(retryInMs) }
}
