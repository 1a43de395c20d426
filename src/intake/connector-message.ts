import { jsonText } from '../util/json-text.ts'
import { type StreamMessage } from '../stream/stream-message.ts'

/** A message as the specification shows it: the event and the entity, or its envelope. */
export interface StreamConnectorMessage {
  /** `create`, `update`, `delete` or `merge`. */
  readonly event: string
  /** The entity, its envelope, or the JSON text of either. */
  readonly data: unknown
  /** Its position, `<ms>-<seq>`. */
  readonly id?: string | undefined
}

/** The same as the stream would bring it. */
export function streamMessage({ id, event, data }: StreamConnectorMessage): StreamMessage {
  const text = typeof data === 'string' ? data : (jsonText(data) ?? '')
  return { id, event, data: text, bytes: text.length }
}

/** Many messages, one after the other as they are asked for. */
export async function* streamMessages(
  messages: Iterable<StreamConnectorMessage> | AsyncIterable<StreamConnectorMessage>,
): AsyncGenerator<StreamMessage, void> {
  for await (const message of messages) yield streamMessage(message)
}
