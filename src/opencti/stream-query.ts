import { formatPosition, type Position } from '../util/position.ts'

/** What a connector requests from the live stream with each connection. */
export interface StreamRequest {
  /** Where to continue. */
  readonly from: Position
  /** The end of the current catch-up, as an ISO date in UTC. */
  readonly recoverUntil: string | undefined
  readonly listenDelete: boolean
  readonly noDependencies: boolean
  readonly withInferences: boolean
}

/**
 * The query of one connection. Everything is sent as query parameters, rebuilt each time: a query overrides
 * every header, so an outdated URL would go back in time (OpenCTI platform, graphql/sseMiddleware.js). `from`
 * is always sent, because without it the server can miss events between two reads; it is never a bare number,
 * which the server silently ignores; and `recover` is only sent if it is after `from`.
 */
export function streamQuery(request: StreamRequest): Record<string, string> {
  const query: Record<string, string> = {
    from: formatPosition(request.from),
    'listen-delete': String(request.listenDelete),
    'no-dependencies': String(request.noDependencies),
    'with-inferences': String(request.withInferences),
  }
  const { recoverUntil } = request
  if (recoverUntil !== undefined && Date.parse(recoverUntil) > request.from.ms)
    query['recover'] = recoverUntil
  return query
}
