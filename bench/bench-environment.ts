/** Settings for a connector on the frames server. */
export function benchEnvironment(url: string, stream: string, directory: string): Record<string, string> {
  return {
    OPENCTI_URL: url,
    OPENCTI_TOKEN: 'bench',
    CONNECTOR_ID: 'bench',
    CONNECTOR_NAME: 'Bench',
    CONNECTOR_LIVE_STREAM_ID: stream,
    CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
    CONNECTOR_LIVE_STREAM_RECOVER: 'false',
    CONNECTOR_STATE_DIR: directory,
    CONNECTOR_STOP_GRACE_MS: '0',
  }
}
