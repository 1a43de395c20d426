import { type PlatformFeatures } from '../platform-profile.ts'

/** The part of the platform's GraphQL schema that stream connectors touch, by generation. */
export interface GraphqlSchema {
  /** From a type to its fields, and from a field to its type; an empty text is a scalar. */
  readonly types: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** From an input type to its fields and whether they must be there. */
  readonly inputs: ReadonlyMap<string, ReadonlyMap<string, boolean>>
}

/** What registration, ping, reset and the stream's description can name (modules/connector/connector.graphql and others). */
export function graphqlSchema({ isSeven, redacts }: PlatformFeatures): GraphqlSchema {
  const seven = (text: string) => (isSeven ? text : '')
  const types = {
    Query:
      'me:Me about:About connector:Connector connectors:Connector streamCollection:StreamCollection ' +
      'markingDefinition:MarkingDefinition markingDefinitions:MarkingDefinitionConnection identity:Identity ' +
      'container:Container stix stixObjectOrStixRelationships:StixObjectOrStixRelationshipConnection ' +
      `streamCollections:StreamCollectionConnection ${seven('redisStreamInfo:RedisStreamInfo')}`,
    Mutation:
      'registerConnector:Connector pingConnector:Connector resetStateConnector:Connector deleteConnector ' +
      'externalReferenceAdd:ExternalReference stixDomainObjectEdit:StixEditMutations ' +
      'stixCyberObservableEdit:StixEditMutations stixCoreRelationshipEdit:StixEditMutations ' +
      'stixSightingRelationshipEdit:StixEditMutations',
    StixObjectOrStixRelationshipConnection: 'edges:StixObjectOrStixRelationshipEdge pageInfo:PageInfo',
    StixObjectOrStixRelationshipEdge: 'node:StixObjectOrStixRelationship cursor',
    StixObjectOrStixRelationship:
      'id standard_id x_opencti_stix_ids entity_type representative:Representative',
    PageInfo: 'startCursor endCursor hasNextPage hasPreviousPage globalCount',
    MarkingDefinitionConnection: 'edges:MarkingDefinitionEdge pageInfo:PageInfo',
    MarkingDefinitionEdge: 'node:MarkingDefinition cursor',
    MarkingDefinition:
      'id standard_id entity_type definition_type definition x_opencti_order x_opencti_color created modified',
    Identity: 'id standard_id entity_type representative:Representative name description identity_class',
    Representative: 'main secondary',
    Container:
      'id standard_id entity_type representative:Representative objects:StixObjectOrStixRelationshipConnection',
    ExternalReference: 'id standard_id',
    StixEditMutations: 'relationAdd:StixRefRelationship',
    StixRefRelationship: 'id',
    Me: 'id name user_email capabilities:Capability',
    Capability: 'name',
    About: 'version',
    Connector:
      'id name active auto connector_type connector_scope connector_state connector_state_reset ' +
      'connector_state_timestamp connector_user_id connector_info:ConnectorInfo config:ConnectorConfig created_at ' +
      `updated_at ${seven('jwks')}`,
    ConnectorInfo:
      'run_and_terminate buffering queue_threshold queue_messages_size next_run_datetime last_run_datetime',
    ConnectorConfig:
      'connection:RabbitMQConnection listen listen_routing listen_exchange listen_callback_uri push push_routing ' +
      `push_exchange dead_letter_routing ${seven('s3:S3Connection')}`,
    RabbitMQConnection: 'host vhost use_ssl port user pass',
    S3Connection: 'endpoint port use_ssl bucket_name bucket_region access_key secret_key',
    StreamCollectionConnection: 'edges:StreamCollectionEdge',
    StreamCollectionEdge: 'node:StreamCollection cursor',
    StreamCollection:
      `id name description stream_live stream_public filters ` +
      seven('origin_filters stream_public_user_id consumers:StreamConsumer'),
    StreamConsumer:
      'connectionId connectedAt lastEventId lastEventDate productionRate deliveryRate processingRate resolutionRate ' +
      'timeLag estimatedOutOfDepth',
    RedisStreamInfo: 'lastEventId firstEventId firstEventDate lastEventDate streamSize',
  }
  const inputs = {
    RegisterConnectorInput:
      'id! name! type! scope auto auto_update enrichment_resolution only_contextual playbook_compatible ' +
      `listen_callback_uri ${redacts ? 'xtm_one_intent version slug' : ''}`,
    ConnectorInfoInput:
      'run_and_terminate! buffering! queue_threshold! queue_messages_size! next_run_datetime last_run_datetime',
  }
  return {
    types: new Map(Object.entries(types).map(([type, fields]) => [type, fieldsOf(fields)])),
    inputs: new Map(Object.entries(inputs).map(([type, fields]) => [type, inputFieldsOf(fields)])),
  }
}

function fieldsOf(text: string): Map<string, string> {
  return new Map(
    words(text)
      .map((word) => word.split(':') as [string, string?])
      .map(([name, type = '']) => [name, type]),
  )
}

function inputFieldsOf(text: string): Map<string, boolean> {
  return new Map(words(text).map((word) => [word.replace('!', ''), word.endsWith('!')]))
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}
