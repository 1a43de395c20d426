import { type KyInstance } from 'ky'
import { z } from 'zod'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { PlatformError, type PlatformProblem } from '../errors/platform-error.ts'
import { GraphqlClient, type GraphqlClientOptions } from './graphql.ts'

/** What the platform stores about this connector. */
export interface Registration {
  /** The state text. Undefined if there is none, or it was reset. */
  readonly state: string | undefined
  /** Internal id of the token's user: events with this `origin.user_id` were caused by this connector. */
  readonly userId: string | undefined
}

/** A live stream as the platform describes it. */
export interface StreamCollection {
  readonly id: string
  readonly name: string
  /** Whether it is running; also `true` if the platform does not say. */
  readonly isRunning: boolean
}

/** The oldest and newest position in the platform's stream now. */
export interface StreamInfo {
  readonly firstEventId: string
  readonly lastEventId: string
}

/** The owner of the token. */
export interface PlatformUser {
  readonly name: string
  readonly email: string | undefined
  /** The names of the user's capabilities. Undefined if the platform does not say. */
  readonly capabilities: readonly string[] | undefined
}

const text = z.string().nullish()

// The smallest possible operations: fields not requested cannot be missing from an older platform (OpenCTI
// platform, modules/connector/connector.graphql and modules/dataSharing/streamCollection.graphql).
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

/** A connector without a queue and without its own runs. */
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
 * The part of the OpenCTI API that a stream connector uses, from 5.x to 7.x. Each call sends one request; see
 * {@link GraphqlClient.request} for what it throws.
 */
export class Platform {
  readonly #graphql: GraphqlClient
  /** Whether this platform accepts `connectorInfo`, which pycti sends; versions before 6 do not know it. */
  #takesConnectorInfo = true

  /**
   * @param http from `createPlatformHttp`.
   * @param url address of the platform with its base path.
   * @param limits maximum duration of an answer, and the clock that measures it.
   */
  constructor(http: KyInstance, url: string, limits: Pick<GraphqlClientOptions, 'clock' | 'timeoutMs'> = {}) {
    this.#graphql = new GraphqlClient({ http, url, ...limits })
  }

  /** The current time by the platform's clock, in milliseconds since 1970; undefined until it has sent it. */
  get nowMs(): number | undefined {
    return this.#graphql.serverNowMs
  }

  /** Registers the connector, or updates its registration. */
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
   * Reports that the connector is alive and sends its state. Returns the platform's state afterwards, which
   * differs from the one sent if someone reset or changed it there. After `PLATFORM_UNREACHABLE`, it is
   * unknown whether the platform accepted it: call {@link readState} before the next ping.
   *
   * @throws PlatformError with problem `unknown-connector` if it must register again.
   */
  async ping(id: string, state: string, signal?: AbortSignal): Promise<string | undefined> {
    const ask = (query: string, more: object) =>
      this.#graphql.request({ query, variables: { id, state, ...more }, schema: pinged, signal })
    let answer: z.infer<typeof pinged>
    if (this.#takesConnectorInfo) {
      try {
        answer = await ask(pingMutation, { connectorInfo })
      } catch (error) {
        // Validation comes before any effect, so a retry is safe.
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
   * Returns the platform's state without changing anything; empty if there is none. The platform reports a
   * reset to a single ping; if that answer was lost, this shows it.
   *
   * @returns `undefined` if the token's user may not ask (capability MODULES) or the platform cannot say.
   * @throws PlatformError with problem `unknown-connector` if it must register again.
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
   * Returns the description of a stream; `undefined` if there is none with that id that this user may see.
   *
   * @throws PlatformError with problem `forbidden` if the user may not read any streams (capability
   * TAXIIAPI), and with `in-trouble` if the platform cannot answer now.
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
   * Whether a stream is filtered by who made a change, since OpenCTI 7: the platform never catches these up
   * (OpenCTI platform, graphql/sseMiddleware.js). False if the platform does not say.
   */
  async hasOriginFilters(id: string, signal?: AbortSignal): Promise<boolean> {
    const answer = await this.#graphql
      .request({ query: originFiltersQuery, variables: { id }, schema: originFiltered, signal })
      .catch(undefinedUnlessVital)
    return hasFilters(answer?.streamCollection?.origin_filters)
  }

  /** The range of the entire stream; `undefined` from platforms before 7, which do not report it. */
  async streamInfo(signal?: AbortSignal): Promise<StreamInfo | undefined> {
    const answer = await this.#graphql
      .request({ query: streamInfoQuery, schema: informed, signal })
      .catch(undefinedUnlessVital)
    return answer?.redisStreamInfo ?? undefined
  }

  /** The platform's version, such as `6.8.10`; also the simplest test of address and token. */
  async about(signal?: AbortSignal): Promise<string | undefined> {
    const answer = await this.#graphql.request({ query: aboutQuery, schema: introduced, signal })
    return answer.about?.version ?? undefined
  }

  /** The owner of the token; `undefined` if the platform does not say. */
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
   * Whether the token may register and ping connectors, tested with a ping for a connector that cannot exist:
   * the platform checks the permission first, then the connector, and changes nothing (OpenCTI platform,
   * domain/connector.ts).
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

/** Whether the JSON text of a filter group contains any filters. */
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

/** For optional queries: only throws what also concerns the next query. */
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
    'The OpenCTI platform no longer knows this connector; someone deleted it there. It must register again.',
    { problem: 'unknown-connector' },
  )
}
