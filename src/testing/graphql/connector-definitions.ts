import { type PlatformFeatures } from '../platform-profile.ts'

/**
 * GraphQL schema of registration, pings, streams, and users, by generation (OpenCTI platform,
 * modules/connector/connector.graphql, modules/dataSharing/streamCollection.graphql).
 *
 * @param rejectedInputFields registration fields this platform does not support.
 */
export function connectorDefinitions(
  { isSeven, takesVersions }: PlatformFeatures,
  rejectedInputFields: ReadonlySet<string>,
): string {
  const seven = (text: string) => (isSeven ? text : '')
  const registration = [
    'id: ID!',
    'name: String!',
    'type: ConnectorType!',
    'scope: [String!]!',
    'auto: Boolean',
    'auto_update: Boolean',
    'enrichment_resolution: String',
    'only_contextual: Boolean',
    'playbook_compatible: Boolean',
    'listen_callback_uri: String',
    ...(takesVersions ? ['xtm_one_intent: String', 'version: String', 'slug: String'] : []),
  ].filter((field) => !rejectedInputFields.has(field.slice(0, field.indexOf(':'))))
  return `
scalar DateTime
enum OrderingMode { asc desc }
enum FilterMode { and or }
type PageInfo { startCursor: String! endCursor: String! hasNextPage: Boolean! hasPreviousPage: Boolean! globalCount: Int! }

type Query {
  about: AppInfo
  me: MeUser!
  connector(id: String!): Connector
  connectors: [Connector]
  streamCollection(id: String!): StreamCollection
  streamCollections(first: Int, after: ID, orderBy: String, orderMode: OrderingMode, filters: FilterGroup, search: String): StreamCollectionConnection
  redisStreamInfo: RedisStreamInfo
}
type Mutation {
  registerConnector(input: RegisterConnectorInput): Connector
  pingConnector(id: ID!, state: String, connectorInfo: ConnectorInfoInput): Connector
  resetStateConnector(id: ID!): Connector
  deleteConnector(id: ID!): ID!
}

type AppInfo { version: String! }
type MeUser { id: ID! name: String! user_email: String! capabilities: [Capability!]! }
type Capability { name: String! }

enum ConnectorType {
  EXTERNAL_IMPORT INTERNAL_ANALYSIS INTERNAL_ENRICHMENT INTERNAL_EXPORT_FILE INTERNAL_IMPORT_FILE INTERNAL_INGESTION
  INTERNAL_NOTIFICATION STREAM
}
input RegisterConnectorInput { ${registration.join(' ')} }
input ConnectorInfoInput {
  run_and_terminate: Boolean! buffering: Boolean! queue_threshold: Float! queue_messages_size: Float!
  next_run_datetime: DateTime last_run_datetime: DateTime
}
type Connector {
  id: ID! name: String! active: Boolean auto: Boolean only_contextual: Boolean connector_type: String
  connector_scope: [String!] connector_state: String connector_state_reset: Boolean connector_state_timestamp: DateTime
  connector_user_id: ID connector_info: ConnectorInfo connector_queue_details: ConnectorQueueDetails
  config: ConnectorConfig built_in: Boolean created_at: DateTime updated_at: DateTime ${seven('jwks: String!')}
}
type ConnectorQueueDetails { messages_number: Int! messages_size: Float! }
type ConnectorInfo {
  run_and_terminate: Boolean! buffering: Boolean! queue_threshold: Float! queue_messages_size: Float!
  next_run_datetime: DateTime last_run_datetime: DateTime
}
type ConnectorConfig {
  connection: RabbitMQConnection! listen: String! listen_routing: String! listen_exchange: String!
  listen_callback_uri: String push: String! push_routing: String! push_exchange: String! dead_letter_routing: String
  ${seven('s3: S3Connection!')}
}
type RabbitMQConnection { host: String! vhost: String! use_ssl: Boolean! port: Int! user: String! pass: String! }
${seven('type S3Connection { endpoint: String! port: Int! use_ssl: Boolean! bucket_name: String! bucket_region: String! access_key: String! secret_key: String! }')}

type StreamCollectionConnection { pageInfo: PageInfo! edges: [StreamCollectionEdge!]! }
type StreamCollectionEdge { cursor: String! node: StreamCollection! }
type StreamCollection {
  id: ID! name: String description: String stream_live: Boolean stream_public: Boolean filters: String
  ${seven('origin_filters: String stream_public_user_id: ID consumers: [StreamConsumer!]')}
}
${seven('type StreamConsumer { connectionId: ID! connectedAt: DateTime lastEventId: String lastEventDate: DateTime productionRate: Float deliveryRate: Float processingRate: Float resolutionRate: Float timeLag: Float estimatedOutOfDepth: Float }')}
type RedisStreamInfo { lastEventId: String! firstEventId: String! firstEventDate: DateTime lastEventDate: DateTime streamSize: Int! }
`
}
