import { STATUS_CODES, type ServerResponse } from 'node:http'

/** How the platform, or something before it, refuses a request. */
export interface Refusal {
  /** The HTTP status. */
  readonly status: number
  /** The reason phrase in the status line. Default: the usual one of the status. */
  readonly reason?: string | undefined
  /** The body. Default: none; for 429 the JSON of the platform's rate limiter. */
  readonly body?: string | undefined
  /** Headers, for example `{ 'retry-after': '3' }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A refusal as the platform writes it: the explanation is the reason phrase, the body is empty and chunked. */
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
