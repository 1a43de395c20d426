import { type IncomingMessage } from 'node:http'

/** Largest accepted body. */
const maxBodyBytes = 5 * 1024 * 1024

/**
 * Reads a request body as text.
 *
 * @throws Error if it is too large, or the client disconnects.
 */
export async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > maxBodyBytes) throw new Error(`the request body is larger than ${maxBodyBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
