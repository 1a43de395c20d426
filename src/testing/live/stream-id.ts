/** The id of an event in the platform's Redis stream: milliseconds, and a number within the same millisecond. */
export interface StreamId {
  readonly ms: number
  readonly seq: number
}

/** The id before every event. */
const firstStreamId: StreamId = { ms: 0, seq: 0 }

/** The usual way to write an id: `1788252000123-0`. */
export function formatStreamId(id: StreamId): string {
  return `${id.ms}-${id.seq}`
}

/** Below zero when `a` comes before `b`, zero when they are the same. */
export function compareStreamIds(a: StreamId, b: StreamId): number {
  return a.ms - b.ms || a.seq - b.seq
}

/** A position as the platform reads it from `from` or `recover`. */
export interface ParsedPosition {
  /** The stream id as Redis would get it, unchecked. */
  readonly text: string
  /** The id in numbers; undefined when Redis would refuse the text. */
  readonly id: StreamId | undefined
  /** The date in milliseconds since 1970; undefined when there is none. */
  readonly dateMs: number | undefined
}

/**
 * Reads a position with the rules of the platform (utils/format.js and graphql/sseMiddleware.js): `0`, a text with
 * exactly one `-` taken as it is, else anything that is a date. A bare number of milliseconds is **not** one and
 * is ignored, and so is any other text: the stream then begins at the present.
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

/** Dates in ISO 8601, extended or basic, and what the JavaScript engine can read besides. */
function parseDate(text: string): number | undefined {
  const basic = /^(\d{4})(\d{2})(\d{2})$/.exec(text)
  const iso = basic ? `${basic[1]}-${basic[2]}-${basic[3]}` : text
  if (/^\d+$/.test(text) && !basic && text.length !== 4) return undefined
  // Like the platform, a date without a zone is one of the server's own zone.
  const dateMs = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(iso) ? `${iso}T00:00:00` : iso)
  return Number.isNaN(dateMs) ? undefined : dateMs
}
