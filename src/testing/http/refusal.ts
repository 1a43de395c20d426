import { STATUS_CODES, type ServerResponse } from 'node:http'

/** How the platform, or something in front of it, refuses a request. */
export interface Refusal {
  /** HTTP status. */
  readonly status: number
  /**
   * Reason phrase in the status line.
   * @default the standard one for the status
   */
  readonly reason?: string | undefined
  /**
   * Body.
   * @default none; for 429, the JSON of the platform's rate limiter
   */
  readonly body?: string | undefined
  /** Headers, such as `{ 'retry-after': '3' }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Refuses like the platform: the explanation is in the reason phrase, and the body is empty and chunked. */
export function refuse(response: ServerResponse, { status, reason, body, headers = {} }: Refusal): void {
  const isRateLimited = status === 429 && body === undefined && reason === undefined
  const json = '{"message":"Too many requests, please try again later."}'
  response.writeHead(status, reason ?? STATUS_CODES[status] ?? '', {
    ...(isRateLimited && { 'Content-Type': 'application/json; charset=utf-8' }),
    ...headers,
  })
  response.flushHeaders()
  response.end(isRateLimited ? json : body)
}
