import { type IncomingMessage, type ServerResponse } from 'node:http'
import { delay } from '../../util/delay.ts'
import { type ArmedFaults, takeCounted } from '../armed-faults.ts'
import { type GraphqlApi, type GraphqlRequest } from '../graphql/graphql-api.ts'
import { type LiveServer } from '../live/live-server.ts'
import { readBody } from './read-body.ts'
import { refuse } from './refusal.ts'
import { type GraphqlLogEntry, type RequestLog } from './request-log.ts'

/** `POST /graphql`, with its armed faults. @param closing aborts when the platform goes down. */
export async function answerGraphql(
  request: IncomingMessage,
  response: ServerResponse,
  { live, graphql, requests }: GraphqlSources,
  closing: AbortSignal,
): Promise<void> {
  const { armed, graphqlDelayMs } = live.faults
  const question = parsedBody(await readBody(request))
  const entry: GraphqlLogEntry = {
    kind: 'graphql',
    operation: /[{]\s*(?:\w+\s*:\s*)?(\w+)/.exec(String(question?.query))?.[1],
    document: String(question?.query ?? ''),
    variables: (question?.variables ?? {}) as Record<string, unknown>,
    headers: request.headers,
    atMs: live.clock.now(),
  }
  requests.add(entry)
  if (graphqlDelayMs > 0) await delay(live.clock, graphqlDelayMs, closing)
  const fault = takeCounted(armed.graphql)
  if (fault !== undefined) {
    if (fault.refusal === 'reset') response.socket?.resetAndDestroy()
    else refuse(response, fault.refusal)
    requests.answered(entry, fault.refusal === 'reset' ? undefined : fault.refusal.status)
    return
  }
  if (question === undefined) {
    refuse(response, {
      status: 400,
      body: 'POST body missing, invalid Content-Type, or JSON object has no keys.',
    })
    requests.answered(entry, 400)
    return
  }
  const answer = await graphql.answer(question, live.access.userOf(request.headers.authorization))
  const isLost = losesAnswer(armed, entry.operation)
  if (isLost) response.socket?.resetAndDestroy()
  else {
    response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' })
    response.end(JSON.stringify(answer))
  }
  requests.answered(entry, isLost ? undefined : 200)
}

/** Sources of GraphQL responses. */
export interface GraphqlSources {
  readonly live: LiveServer
  readonly graphql: GraphqlApi
  readonly requests: RequestLog
}

/** Whether to process the request but lose the answer. */
function losesAnswer(armed: ArmedFaults, field: string | undefined): boolean {
  if (field === 'pingConnector' && armed.lostPingAnswers > 0) {
    armed.lostPingAnswers -= 1
    return true
  }
  if (field === 'registerConnector' && armed.lostRegistrationAnswers > 0) {
    armed.lostRegistrationAnswers -= 1
    return true
  }
  return false
}

function parsedBody(body: string): GraphqlRequest | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
