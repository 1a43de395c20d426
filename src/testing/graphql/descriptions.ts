import { type SimulatedCollection } from '../live/access.ts'
import { type RegisteredConnector } from './connector-registry.ts'

/** A connector in GraphQL. */
export function describeConnector(connector: RegisteredConnector, nowMs: number): Record<string, unknown> {
  const { id } = connector
  return {
    id,
    name: connector.name,
    active: true,
    auto: false,
    connector_type: 'STREAM',
    connector_scope: connector.scope,
    connector_state: connector.state,
    connector_state_reset: connector.isResetPending,
    connector_state_timestamp: new Date(connector.stateChangedAtMs).toISOString(),
    connector_user_id: connector.userId,
    connector_info: connector.info,
    created_at: new Date(connector.registeredAtMs).toISOString(),
    updated_at: new Date(nowMs).toISOString(),
    jwks: '{"keys":[]}',
    // Connectors that only consume need none of this; it exists for clients that request it.
    config: {
      connection: {
        host: 'rabbitmq.example',
        vhost: '/',
        use_ssl: false,
        port: 5672,
        user: 'guest',
        pass: 'guest',
      },
      s3: {
        endpoint: 's3.example',
        port: 9000,
        use_ssl: false,
        bucket_name: 'opencti',
        bucket_region: 'us-east-1',
        access_key: 'none',
        secret_key: 'none',
      },
      listen: `listen_${id}`,
      listen_routing: `listen_routing_${id}`,
      listen_exchange: 'amqp.connector.exchange',
      push: `push_${id}`,
      push_routing: `push_routing_${id}`,
      push_exchange: 'amqp.worker.exchange',
      dead_letter_routing: `dead_letter_routing_${id}`,
    },
  }
}

/** A stream in GraphQL. */
export function describeCollection(collection: SimulatedCollection): Record<string, unknown> {
  return {
    id: collection.id,
    name: collection.name,
    description: collection.description,
    stream_live: collection.live,
    stream_public: collection.public,
    filters: collection.filters,
    origin_filters:
      collection.originFilter === undefined
        ? null
        : '{"mode":"and","filters":[{"key":["user_id"],"values":["any"],"operator":"eq","mode":"or"}],"filterGroups":[]}',
    consumers: [],
  }
}
