import { formatPosition, type Position } from '../util/position.ts'

/** What a connector asks of the live stream at each connect. */
export interface StreamRequest {
  /** Where to go on. */
  readonly from: Position
  /** The end of the catch-up that is under way, as an ISO date in UTC. */
  readonly recoverUntil: string | undefined
  readonly listenDelete: boolean
  readonly noDependencies: boolean
  readonly withInferences: boolean
}

/**
 * The query of one connect. Everything goes as query parameters, rebuilt each time: a query beats every header, so
 * a stale URL would go back in time (OpenCTI platform, graphql/sseMiddleware.js). `from` is always sent, because
 * without it the server can miss events between two reads; never as a bare number, which it ignores without a word;
 * and `recover` only when it lies after `from`.
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
