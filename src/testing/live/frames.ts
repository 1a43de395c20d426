import { creationMessage } from '../knowledge/platform.ts'
import { type StoredObject } from '../knowledge/knowledge-base.ts'

/** A frame in the platform's field order and with its line endings: `id`, `event`, one line of `data`. */
export function frame(event: string, data: string | undefined, id?: string): string {
  const idLine = id === undefined ? '' : `id: ${id}\n`
  const dataLine = data === undefined ? '' : `data: ${data}\n`
  return `${idLine}event: ${event}\n${dataLine}\n`
}

/** Frame of a catch-up or dependency object: an envelope of four fields. */
export function shortFrame(
  id: string,
  event: string,
  stored: StoredObject,
  referer: 'init-create' | 'init-dependencies',
  message: string = creationMessage(stored),
  json: string = stored.json(),
): string {
  const data = `{"data":${json},"message":${JSON.stringify(message)},"origin":{"referer":"${referer}"},"version":"4"}`
  return frame(event, data, id)
}

/** The `error` frame of 7.x. */
export function errorFrame(streamId: string, message: string): string {
  return frame('error', JSON.stringify({ stream: streamId, message }))
}
