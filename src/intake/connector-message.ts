import { jsonText } from '../util/json-text.ts'
import { type PipelineMessage } from './pipeline-message.ts'

/** A message as the specification shows it: the event and the entity, or its envelope. */
export interface StreamConnectorMessage {
  /** `create`, `update`, `delete` or `merge`. */
  readonly event: string
  /** The entity, its envelope, or the JSON text of either. */
  readonly data: unknown
  /** Its position, `<ms>-<seq>`. */
  readonly id?: string | undefined
}

/** A message as the pipeline takes it. */
export function pipelineMessage({ id, event, data }: StreamConnectorMessage): PipelineMessage {
  const text = typeof data === 'string' ? data : (jsonText(data) ?? '')
  return { id, event, data: text, bytes: text.length }
}

/** Many messages, one after the other as they are asked for. */
export async function* pipelineMessages(
  messages: Iterable<StreamConnectorMessage> | AsyncIterable<StreamConnectorMessage>,
): AsyncGenerator<PipelineMessage, void> {
  for await (const message of messages) yield pipelineMessage(message)
}
