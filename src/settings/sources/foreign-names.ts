/**
 * Names that pycti and the Python SDK read, but that have no meaning here. Accepted silently, and never
 * treated as misspellings.
 */
const foreign = new RegExp(
  `^(?:${[
    'MQ_.*',
    'S3_.*',
    'METRICS_.*',
    'CONNECTOR_AUTO',
    'CONNECTOR_AUTO_UPDATE',
    'CONNECTOR_AUTO_CREATE_SERVICE_ACCOUNT.*',
    'CONNECTOR_ONLY_CONTEXTUAL',
    'CONNECTOR_RUN_AND_TERMINATE',
    'CONNECTOR_VALIDATE_BEFORE_IMPORT',
    'CONNECTOR_ENRICHMENT_RESOLUTION',
    'CONNECTOR_LISTEN_PROTOCOL.*',
    'CONNECTOR_QUEUE_THRESHOLD',
    'CONNECTOR_QUEUE_PROTOCOL',
    'CONNECTOR_DURATION_PERIOD',
    'CONNECTOR_SEND_TO_.*',
    'CONNECTOR_CONFIDENCE_LEVEL',
    'LISTEN_PROTOCOL_.*',
    'QUEUE_PROTOCOL',
  ].join('|')})$`,
)

/** Whether `environment` is such a name. */
export function isForeignName(environment: string): boolean {
  return foreign.test(environment)
}

/** Names read by Python connectors, and the equivalent settings of this package. */
const successors: ReadonlyMap<string, string> = new Map([
  ['CONNECTOR_CONSUMER_COUNT', 'CONNECTOR_CONCURRENCY'],
  ['METRICS_ENABLE', 'CONNECTOR_EXPOSE_METRICS'],
  ['METRICS_PORT', 'CONNECTOR_METRICS_PORT'],
  ['METRICS_ADDR', 'CONNECTOR_METRICS_HOST'],
  ['PROXY_HTTP', 'HTTP_PROXY'],
  ['PROXY_HTTPS', 'HTTPS_PROXY'],
  ['PROXY_NO_PROXY', 'NO_PROXY'],
])

/** The equivalent of a Python connector's setting; `undefined` for other names. */
export function successorOf(environment: string): string | undefined {
  return successors.get(environment)
}
