import { type StreamMessage } from '../stream/stream-message.ts'
import { jsonText } from '../util/json-text.ts'

/**
 * A frame as a line of a recording, without line break. Read it with `readRecording` from
 * `opencti-stream-connector/testing`. Keeps the frame's JSON verbatim.
 */
export function recordedLine(
  { id, event, data }: Pick<StreamMessage, 'id' | 'event' | 'data'>,
  receivedAtMs: number,
): string {
  const head = JSON.stringify({ id, event, received_at: new Date(receivedAtMs).toISOString() })
  return `${head.slice(0, -1)},"data":${jsonOf(data)}}`
}

/** The text itself if it is single-line JSON, so that numbers keep their digits; otherwise a string. */
function jsonOf(data: string): string {
  let parsed: unknown
  try {
    parsed = JSON.parse(data)
  } catch {
    return JSON.stringify(data)
  }
  return data.includes('\n') || data.includes('\r') ? (jsonText(parsed) ?? JSON.stringify(data)) : data
}
