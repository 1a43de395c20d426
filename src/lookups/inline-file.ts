import { StreamConnectorError } from '../errors/stream-connector-error.ts'

/**
 * The content of a file that came along with its event, as some 7.x send small ones.
 *
 * @param data its content in base64.
 * @throws StreamConnectorError `LOOKUP_TOO_LARGE` when it has more than `maxBytes`.
 */
export function inlineFile(data: string, maxBytes: number): Uint8Array {
  const bytes = Math.floor((data.length * 3) / 4)
  const content = bytes - 2 > maxBytes ? undefined : Buffer.from(data, 'base64')
  if (content !== undefined && content.byteLength <= maxBytes) return new Uint8Array(content)
  throw new StreamConnectorError(
    'LOOKUP_TOO_LARGE',
    `The file that came with the event has more than ${maxBytes} bytes. Raise maxBytes, or go on without it.`,
  )
}
