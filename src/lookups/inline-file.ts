import { StreamConnectorError } from '../errors/stream-connector-error.ts'

/**
 * Decodes a file embedded in its event; some 7.x versions embed small ones.
 *
 * @param data base64 content.
 * @throws StreamConnectorError `LOOKUP_TOO_LARGE` if it exceeds `maxBytes`.
 */
export function inlineFile(data: string, maxBytes: number): Uint8Array {
  const bytes = Math.floor((data.length * 3) / 4)
  const content = bytes - 2 > maxBytes ? undefined : Buffer.from(data, 'base64')
  if (content !== undefined && content.byteLength <= maxBytes) return new Uint8Array(content)
  throw new StreamConnectorError(
    'LOOKUP_TOO_LARGE',
    `The file in the event is larger than ${maxBytes} bytes. Raise maxBytes, or continue without the file.`,
  )
}
