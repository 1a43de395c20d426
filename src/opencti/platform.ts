import { type KyInstance } from 'ky'
import { z } from 'zod'
import { PlatformError } from '../errors/platform-error.ts'
import { askPlatform } from './graphql.ts'

/** What registering answers. */
export interface Registration {
  /** The state that the platform keeps for the connector, as text; undefined for none. */
  readonly state: string | undefined
  /** The platform's id of the token's user. */
  readonly userId: string | undefined
}

/** What the platform tells of a live stream. */
export interface StreamCollection {
  readonly id: string
  readonly name: string
  readonly isRunning: boolean
}

const state = z.string().nullish()

/**
 * The platform's GraphQL, as far as a stream connector needs it. The texts ask for no more than every platform from 5 to
 * 7 knows: an older one rejects a whole question for one unknown field (OpenCTI platform, modules/connector/connector.graphql).
 */
export class Platform {
  readonly #http: KyInstance
  readonly #url: string
  #sendsInfo = true

  /** @param url the base address, without a slash at the end. */
  constructor(http: KyInstance, url: string) {
    this.#http = http
    this.#url = url
  }

  /** Makes the connector known, at each start. */
  async register(
    connector: { readonly id: string; readonly name: string; readonly scope: readonly string[] },
    signal: AbortSignal,
  ): Promise<Registration> {
    const { registerConnector } = await askPlatform(
      this.#http,
      this.#url,
      {
        query: `mutation RegisterConnector($input: RegisterConnectorInput) {
          registerConnector(input: $input) { id connector_state connector_user_id }
        }`,
        variables: { input: { ...connector, type: 'STREAM', auto: false } },
        shape: z.object({
          registerConnector: z.object({ connector_state: state, connector_user_id: z.string().nullish() }),
        }),
      },
      signal,
    )
    return {
      state: registerConnector.connector_state ?? undefined,
      userId: registerConnector.connector_user_id ?? undefined,
    }
  }

  /**
   * Says that the connector is alive, and hands over its state.
   *
   * @returns the state that the platform keeps now: another one than was sent when somebody reset or edited it.
   * @throws PlatformError with the problem `unknown-connector` when it has to register again.
   */
  async ping(id: string, sent: string, signal: AbortSignal): Promise<string | undefined> {
    const info = this.#sendsInfo ? connectorInfo : undefined
    try {
      const { pingConnector } = await askPlatform(
        this.#http,
        this.#url,
        {
          query: info === undefined ? pingWithoutInfo : pingWithInfo,
          variables: { id, state: sent, ...(info === undefined ? {} : { connectorInfo: info }) },
          shape: z.object({ pingConnector: z.object({ connector_state: state }) }),
        },
        signal,
      )
      return pingConnector.connector_state ?? undefined
    } catch (error) {
      // Platforms before 6 know no connector info. The question was rejected whole, so nothing was stored.
      if (!(error instanceof PlatformError) || error.problem !== 'invalid-query' || info === undefined)
        throw error
      this.#sendsInfo = false
      return this.ping(id, sent, signal)
    }
  }

  /** The state that the platform keeps, without changing anything. Needs a right that not every token has. */
  async readState(id: string, signal: AbortSignal): Promise<string | undefined> {
    const { connector } = await askPlatform(
      this.#http,
      this.#url,
      {
        query: 'query ConnectorState($id: String!) { connector(id: $id) { connector_state } }',
        variables: { id },
        shape: z.object({ connector: z.object({ connector_state: state }).nullish() }),
      },
      signal,
    )
    return connector?.connector_state ?? undefined
  }

  /** A live stream, or undefined when there is none of this id, or none that the token may see. */
  async streamCollection(id: string, signal: AbortSignal): Promise<StreamCollection | undefined> {
    const { streamCollection } = await askPlatform(
      this.#http,
      this.#url,
      {
        query: 'query StreamCollection($id: String!) { streamCollection(id: $id) { id name stream_live } }',
        variables: { id },
        shape: z.object({
          streamCollection: z
            .object({ id: z.string(), name: z.string().nullish(), stream_live: z.boolean().nullish() })
            .nullish(),
        }),
      },
      signal,
    )
    if (streamCollection === null || streamCollection === undefined) return undefined
    return {
      id: streamCollection.id,
      name: streamCollection.name ?? streamCollection.id,
      isRunning: streamCollection.stream_live ?? true,
    }
  }

  /** What the whole stream holds at the moment; undefined where the platform does not tell (before 7). */
  async streamInfo(signal: AbortSignal): Promise<{ firstEventId: string; lastEventId: string } | undefined> {
    try {
      const { redisStreamInfo } = await askPlatform(
        this.#http,
        this.#url,
        {
          query: 'query StreamInfo { redisStreamInfo { firstEventId lastEventId } }',
          shape: z.object({
            redisStreamInfo: z.object({ firstEventId: z.string(), lastEventId: z.string() }).nullish(),
          }),
        },
        signal,
      )
      return redisStreamInfo ?? undefined
    } catch (error) {
      if (error instanceof PlatformError && error.code !== 'PLATFORM_UNREACHABLE') return undefined
      throw error
    }
  }
}

/** What the official client sends of a connector that has no queue of its own. */
const connectorInfo = {
  run_and_terminate: false,
  buffering: false,
  queue_threshold: 500,
  queue_messages_size: 0,
}

const pingWithInfo = `mutation PingConnector($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput) {
  pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) { id connector_state }
}`

const pingWithoutInfo = `mutation PingConnector($id: ID!, $state: String) {
  pingConnector(id: $id, state: $state) { id connector_state }
}`
