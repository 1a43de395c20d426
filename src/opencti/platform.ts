import { type KyInstance } from 'ky'
import { z } from 'zod'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { PlatformError, type PlatformProblem } from '../errors/platform-error.ts'
import { GraphqlClient, type GraphqlClientOptions } from './graphql.ts'

/** What the platform keeps of this connector. */
export interface Registration {
  /** The state text; absent when there is none, or it was reset. */
  readonly state: string | undefined
  /** Internal id of the token's user: what carries it as `origin.user_id` was done by this connector. */
  readonly userId: string | undefined
}

/** A live stream, as the platform describes it. */
export interface StreamCollection {
  readonly id: string
  readonly name: string
  /** Whether it runs; also `true` when the platform does not say. */
  readonly isRunning: boolean
}

/** What the platform's stream holds at the moment: the oldest and the newest position. */
export interface StreamInfo {
  readonly firstEventId: string
  readonly lastEventId: string
}

/** Whose token it is. */
export interface PlatformUser {
  readonly name: string
  readonly email: string | undefined
  /** The names of what the user may do; absent when the platform does not say. */
  readonly capabilities: readonly string[] | undefined
}

const text = z.string().nullish()

// The smallest operations: what is not asked for cannot be missing from an older platform (OpenCTI platform,
// modules/connector/connector.graphql and modules/dataSharing/streamCollection.graphql).
const registerMutation =
  'mutation RegisterConnector($input: RegisterConnectorInput) { registerConnector(input: $input) { id connector_state connector_user_id } }'
const pingMutation =
  'mutation PingConnector($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput) { pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) { id connector_state } }'
const plainPingMutation =
  'mutation PingConnector($id: ID!, $state: String) { pingConnector(id: $id, state: $state) { id connector_state } }'
const connectorQuery = 'query Connector($id: String!) { connector(id: $id) { id connector_state } }'
const streamCollectionQuery =
  'query StreamCollection($id: String!) { streamCollection(id: $id) { id name stream_live } }'
const originFiltersQuery =
  'query StreamOrigins($id: String!) { streamCollection(id: $id) { id origin_filters } }'
const streamInfoQuery = 'query StreamInfo { redisStreamInfo { firstEventId lastEventId } }'
const aboutQuery = 'query About { about { version } }'
const meQuery = 'query Me { me { id name user_email capabilities { name } } }'
const plainMeQuery = 'query Me { me { id name } }'

/** A connector without queue and without runs of its own. */
const connectorInfo = {
  run_and_terminate: false,
  buffering: false,
  queue_threshold: 0,
  queue_messages_size: 0,
}

const registered = z.object({
  registerConnector: z.object({ id: z.string(), connector_state: text, connector_user_id: text }),
})
const pinged = z.object({ pingConnector: z.object({ connector_state: text }).nullish() })
const found = z.object({ connector: z.object({ connector_state: text }).nullish() })
const described = z.object({
  streamCollection: z.object({ id: z.string(), name: text, stream_live: z.boolean().nullish() }).nullish(),
})
const originFiltered = z.object({ streamCollection: z.object({ origin_filters: text }).nullish() })
const informed = z.object({
  redisStreamInfo: z.object({ firstEventId: z.string(), lastEventId: z.string() }).nullish(),
})
const introduced = z.object({ about: z.object({ version: text }).nullish() })
const known = z.object({
  me: z
    .object({
      id: z.string(),
      name: text,
      user_email: text,
      capabilities: z.array(z.object({ name: z.string() })).nullish(),
    })
    .nullish(),
})

/**
 * The part of the OpenCTI API that a stream connector needs, from 5.x to 7.x. Each call asks once; see
 * {@link GraphqlClient.request} for what it throws.
 */
export class Platform {
  readonly #graphql: GraphqlClient
  /** Whether this platform takes `connectorInfo`, which pycti sends; versions before 6 do not know it. */
  #takesConnectorInfo = true

  /**
   * @param http from `createPlatformHttp`.
   * @param url address of the platform with its base path.
   * @param limits how long an answer may take, and the clock that measures it.
   */
  constructor(http: KyInstance, url: string, limits: Pick<GraphqlClientOptions, 'clock' | 'timeoutMs'> = {}) {
    this.#graphql = new GraphqlClient({ http, url, ...limits })
  }

  /** What time it is by its own clock, in milliseconds since 1970; undefined as long as it has not said so. */
  get nowMs(): number | undefined {
    return this.#graphql.serverNowMs
  }

  /** Registers the connector, or brings its registration up to date. */
  async register(
    connector: { id: string; name: string; scope: readonly string[] },
    signal?: AbortSignal,
  ): Promise<Registration> {
    const { id, name, scope } = connector
    const { registerConnector } = await this.#graphql.request({
      query: registerMutation,
      variables: { input: { id, name, type: 'STREAM', scope } },
      schema: registered,
      signal,
    })
    return {
      state: registerConnector.connector_state ?? undefined,
      userId: registerConnector.connector_user_id ?? undefined,
    }
  }

  /**
   * Says that the connector lives and hands over its state. The answer is the state that the platform has then:
   * another one than was sent when somebody reset or changed it there. After `PLATFORM_UNREACHABLE` it is not known
   * whether the platform took it: ask {@link readState} before the next ping.
   *
   * @throws PlatformError with problem `unknown-connector` when it must register again.
   */
  async ping(id: string, state: string, signal?: AbortSignal): Promise<string | undefined> {
    const ask = (query: string, more: object) =>
      this.#graphql.request({ query, variables: { id, state, ...more }, schema: pinged, signal })
    let answer: z.infer<typeof pinged>
    if (this.#takesConnectorInfo) {
      try {
        answer = await ask(pingMutation, { connectorInfo })
      } catch (error) {
        // Validation comes before anything is done, so that asking again is safe.
        if (problemOf(error) !== 'invalid-query') throw error
        answer = await ask(plainPingMutation, {})
        this.#takesConnectorInfo = false
      }
    } else {
      answer = await ask(plainPingMutation, {})
    }
    if (!answer.pingConnector) throw unknownConnector()
    return answer.pingConnector.connector_state ?? undefined
  }

  /**
   * The state that the platform has, without changing anything; empty for none. A reset is told to one ping alone;
   * when the answer to that was lost, this shows it.
   *
   * @returns `undefined` when the token's user may not ask (capability MODULES) or the platform cannot tell.
   * @throws PlatformError with problem `unknown-connector` when it must register again.
   */
  async readState(id: string, signal?: AbortSignal): Promise<string | undefined> {
    const answer = await this.#graphql
      .request({ query: connectorQuery, variables: { id }, schema: found, signal })
      .catch(undefinedUnlessVital)
    if (answer === undefined) return undefined
    if (!answer.connector) throw unknownConnector()
    return answer.connector.connector_state ?? ''
  }

  /**
   * The description of a stream; `undefined` when there is none of that id, or none that this user may see.
   *
   * @throws PlatformError with problem `forbidden` when the user may read no streams at all (capability TAXIIAPI), and
   *   with `in-trouble` when the platform cannot tell now.
   */
  async streamCollection(id: string, signal?: AbortSignal): Promise<StreamCollection | undefined> {
    const answer = await this.#graphql
      .request({ query: streamCollectionQuery, variables: { id }, schema: described, signal })
      .catch((error: unknown) => {
        // Some versions answer an unknown id with an error.
        if (codeOf(error) === 'PLATFORM_ERROR' && problemOf(error) !== 'in-trouble') return undefined
        throw error
      })
    const collection = answer?.streamCollection
    if (!collection) return undefined
    return {
      id: collection.id,
      name: collection.name ?? collection.id,
      isRunning: collection.stream_live ?? true,
    }
  }

  /**
   * Whether a stream is filtered by who did something, since OpenCTI 7: the platform catches up none of these (OpenCTI
   * platform, graphql/sseMiddleware.js). False where it does not tell.
   */
  async hasOriginFilters(id: string, signal?: AbortSignal): Promise<boolean> {
    const answer = await this.#graphql
      .request({ query: originFiltersQuery, variables: { id }, schema: originFiltered, signal })
      .catch(undefinedUnlessVital)
    return hasFilters(answer?.streamCollection?.origin_filters)
  }

  /** What the whole stream holds; `undefined` from platforms before 7, which do not tell. */
  async streamInfo(signal?: AbortSignal): Promise<StreamInfo | undefined> {
    const answer = await this.#graphql
      .request({ query: streamInfoQuery, schema: informed, signal })
      .catch(undefinedUnlessVital)
    return answer?.redisStreamInfo ?? undefined
  }

  /** The platform's version, such as `6.8.10`; also the simplest way to try address and token. */
  async about(signal?: AbortSignal): Promise<string | undefined> {
    const answer = await this.#graphql.request({ query: aboutQuery, schema: introduced, signal })
    return answer.about?.version ?? undefined
  }

  /** Whose token it is; `undefined` when the platform does not tell. */
  async me(signal?: AbortSignal): Promise<PlatformUser | undefined> {
    const ask = (query: string) => this.#graphql.request({ query, schema: known, signal })
    const answer = await ask(meQuery).catch((error: unknown) => {
      if (problemOf(error) !== 'invalid-query') return undefinedUnlessVital(error)
      return ask(plainMeQuery).catch(undefinedUnlessVital)
    })
    const user = answer?.me
    if (!user) return undefined
    return {
      name: user.name ?? user.id,
      email: user.user_email ?? undefined,
      capabilities: user.capabilities?.map(({ name }) => name),
    }
  }

  /**
   * Whether the token may register and ping connectors, found out by the ping of a connector that cannot exist: the platform
   * looks at the right first, then for the connector, and changes nothing (OpenCTI platform, domain/connector.ts).
   */
  async mayPing(unknownId: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.ping(unknownId, 'null', signal)
      return true
    } catch (error) {
      if (problemOf(error) === 'forbidden') return false
      if (codeOf(error) === 'PLATFORM_ERROR' && problemOf(error) !== 'in-trouble') return true
      throw error
    }
  }
}

/** Whether the JSON text of a group of filters has any in it. */
function hasFilters(json: string | null | undefined): boolean {
  try {
    const group = JSON.parse(json ?? 'null') as Readonly<Record<string, unknown>> | null
    return [group?.['filters'], group?.['filterGroups']].some(
      (list) => Array.isArray(list) && list.length > 0,
    )
  } catch {
    return false
  }
}

/** For questions that the platform need not answer: only what concerns the next question too is thrown. */
function undefinedUnlessVital(error: unknown): undefined {
  const problem = problemOf(error)
  if (problem === 'forbidden' || (codeOf(error) === 'PLATFORM_ERROR' && problem !== 'unknown-connector'))
    return
  throw error
}

function codeOf(error: unknown): string | undefined {
  return isStreamConnectorError(error) ? error.code : undefined
}

function problemOf(error: unknown): PlatformProblem | undefined {
  return isStreamConnectorError(error) ? (error as PlatformError).problem : undefined
}

function unknownConnector(): PlatformError {
  return new PlatformError(
    'PLATFORM_ERROR',
    'The OpenCTI platform does not know this connector any more; somebody deleted it there. It has to register again.',
    { problem: 'unknown-connector' },
  )
}
