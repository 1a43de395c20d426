import { type StreamConnectorMessage } from '../intake/connector-message.ts'
import { fileLines } from '../util/file-lines.ts'

/**
 * A live stream frame recorded by `opencti-stream record`. Pass it to a connector's `processMessage` as is.
 */
export interface RecordedMessage extends StreamConnectorMessage {
  /** When it was received, as an ISO date. */
  readonly receivedAt: string | undefined
}

/** Longest line to read: the largest frame, plus room for escapes. */
const maxLineCharacters = 268_435_456

/**
 * Reads a file written by `opencti-stream record` (or `tail --json`) frame by frame, regardless of its size.
 * Use it to replay a bug report, or a day of a real platform, in a test.
 *
 * @throws Error if the file cannot be opened, or a line is invalid and there is no `onCorruptLine`.
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
    else throw new Error(`Line ${number} of ${path} is not a recorded frame: ${message}.`)
  }
}

/** Options for {@link readRecording}. */
export interface ReadRecordingOptions {
  /**
   * Called for each invalid line, which is then skipped. Without it, the first invalid line throws an error
   * that names it.
   * @param line line number, starting at 1.
   */
  readonly onCorruptLine?: ((line: number, problem: string) => void) | undefined
}

/** The frame in a line, or what is wrong with it. */
function messageOf(line: string): RecordedMessage | string {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return 'it is not valid JSON, perhaps cut off'
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'it is not a JSON object'
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
