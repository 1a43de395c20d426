import { type StreamConnectorMessage } from '../intake/connector-message.ts'
import { fileLines } from '../util/file-lines.ts'

/** One frame of a live stream as `opencti-stream record` writes it; a connector's `processMessage` takes it as it is. */
export interface RecordedMessage extends StreamConnectorMessage {
  /** When it was received, as an ISO date. */
  readonly receivedAt: string | undefined
}

/** How {@link readRecording} takes what is no frame. */
export interface ReadRecordingOptions {
  /**
   * Told of each line that cannot be read; the line is left out then. Default: the first of them ends the reading with an
   * error that names it.
   *
   * @param line counts from 1.
   */
  readonly onCorruptLine?: ((line: number, problem: string) => void) | undefined
}

/** The longest line that is read: a frame of the largest size, and room for its escapes. */
const maxLineCharacters = 268_435_456

/**
 * Reads a file that `opencti-stream record` (or `tail --json`) wrote, frame by frame, however large it is: to play a bug
 * report, or a day of a real platform, in a test.
 *
 * @throws Error when the file cannot be opened, and for a line that is no frame, unless `onCorruptLine` is given.
 *
 * @example
 * ```ts
 * import { MemoryStore, type StreamConnector } from 'opencti-stream-connector'
 * import { readRecording, Simulator } from 'opencti-stream-connector/testing'
 *
 * async function replay(make: (options: object) => StreamConnector) {
 *   await using simulator = await Simulator.start()
 *   await using connector = make({ env: simulator.environment(), store: new MemoryStore() })
 *   await connector.processMessages(readRecording('test/recordings/merge.jsonl'))
 *   return connector.status()
 * }
 * ```
 */
export async function* readRecording(
  path: string,
  { onCorruptLine }: ReadRecordingOptions = {},
): AsyncGenerator<RecordedMessage, void> {
  let number = 0
  for await (const line of fileLines(path, maxLineCharacters)) {
    number++
    if (line.trim() === '') continue
    const message = messageOf(line)
    if (typeof message !== 'string') yield message
    else if (onCorruptLine !== undefined) onCorruptLine(number, message)
    else throw new Error(`Line ${number} of ${path} is no frame of a recording: ${message}.`)
  }
}

/** The frame of a line, or what is wrong with it. */
function messageOf(line: string): RecordedMessage | string {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return 'it is not valid JSON, perhaps cut off'
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'it is no JSON object'
  const { id, event, data, received_at: receivedAt } = parsed as Record<string, unknown>
  if (typeof event !== 'string') return 'it has no "event"'
  if (data === undefined) return 'it has no "data"'
  return {
    id: typeof id === 'string' ? id : undefined,
    event,
    data,
    receivedAt: typeof receivedAt === 'string' ? receivedAt : undefined,
  }
}
