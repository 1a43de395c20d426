/**
 * Id of an event in the platform's Redis stream: milliseconds, and a sequence number within the millisecond.
 */
export interface StreamId {
  readonly ms: number
  readonly seq: number
}

/** Sorts before every event. */
const firstStreamId: StreamId = { ms: 0, seq: 0 }

/** Formats an id: `1788252000123-0`. */
export function formatStreamId(id: StreamId): string {
  return `${id.ms}-${id.seq}`
}

/** Negative if `a` comes before `b`, zero if they are equal. */
export function compareStreamIds(a: StreamId, b: StreamId): number {
  return a.ms - b.ms || a.seq - b.seq
}

/** A position in `from` or `recover`, as the platform parses it. */
export interface ParsedPosition {
  /** The stream id as passed to Redis, unchecked. */
  readonly text: string
  /** The numeric id; undefined if Redis would reject the text. */
  readonly id: StreamId | undefined
  /** The date in milliseconds since 1970; undefined if there is none. */
  readonly dateMs: number | undefined
}

/**
 * Parses a position by the platform's rules (utils/format.js and graphql/sseMiddleware.js): `0`, text with
 * exactly one `-` as is, or any date. A bare number of milliseconds is **not** a date and is ignored, as is
 * any other text: the stream then starts at the present.
 */
export function parsePosition(text: string | undefined): ParsedPosition | undefined {
  if (text === undefined || text === '') return undefined
  if (text === '0' || text === '0-0') return { text: '0-0', id: firstStreamId, dateMs: 0 }
  const parts = text.split('-')
  if (parts.length === 2) {
    const [ms, seq] = parts
    const valid = /^\d+$/.test(ms!) && /^\d+$/.test(seq!)
    return {
      text,
      id: valid ? { ms: Number(ms), seq: Number(seq) } : undefined,
      dateMs: /^\d+$/.test(ms!) ? Number(ms) : undefined,
    }
  }
  const dateMs = parseDate(text)
  if (dateMs === undefined) return undefined
  return { text: `${dateMs}-0`, id: { ms: dateMs, seq: 0 }, dateMs }
}

/** Parses dates in ISO 8601, extended or basic, and whatever else the JavaScript engine accepts. */
function parseDate(text: string): number | undefined {
  const basic = /^(\d{4})(\d{2})(\d{2})$/.exec(text)
  const iso = basic ? `${basic[1]}-${basic[2]}-${basic[3]}` : text
  if (/^\d+$/.test(text) && !basic && text.length !== 4) return undefined
  // As on the platform, a date without a time zone is in the server's own.
  const dateMs = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(iso) ? `${iso}T00:00:00` : iso)
  return Number.isNaN(dateMs) ? undefined : dateMs
}
