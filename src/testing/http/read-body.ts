import { type IncomingMessage } from 'node:http'

/** The largest body that is read. */
const maxBodyBytes = 5 * 1024 * 1024

/**
 * The body of a request as text.
 *
 * @throws Error when it is too large, or the client went away.
 */
export async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > maxBodyBytes) throw new Error(`the body of the request is larger than ${maxBodyBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
