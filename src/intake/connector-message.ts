import { jsonText } from '../util/json-text.ts'
import { type StreamMessage } from '../stream/stream-message.ts'

/** A message as in the specification: the event and the entity, or its envelope. */
export interface StreamConnectorMessage {
  /** `create`, `update`, `delete` or `merge`. */
  readonly event: string
  /** The entity, its envelope, or the JSON text of either. */
  readonly data: unknown
  /** Its position, `<ms>-<seq>`. */
  readonly id?: string | undefined
}

/** Converts it to the form in which the stream sends it. */
export function streamMessage({ id, event, data }: StreamConnectorMessage): StreamMessage {
  const text = typeof data === 'string' ? data : (jsonText(data) ?? '')
  return { id, event, data: text, bytes: text.length }
}

/** Converts many messages one by one, as they are requested. */
export async function* streamMessages(
  messages: Iterable<StreamConnectorMessage> | AsyncIterable<StreamConnectorMessage>,
): AsyncGenerator<StreamMessage, void> {
  for await (const message of messages) yield streamMessage(message)
}
