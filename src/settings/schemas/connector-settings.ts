// Written from the schemas by `npm run generate`: change those.

import { type RouteChanges } from './route-options.ts'

/** What the connector is and what it listens to: the section `connector` of the settings. */
export interface ConnectorSettings {
  /** Identity of this connector at the platform. Environment: `CONNECTOR_ID`. */
  readonly id: string
  /** Name of the connector, as the platform shows it. Environment: `CONNECTOR_NAME`. */
  readonly name: string
  /**
   * What the connector declares to be for; it filters nothing. Environment: `CONNECTOR_SCOPE`.
   * @default ['not-applicable']
   */
  readonly scope: readonly string[]
  /**
   * Always STREAM. Environment: `CONNECTOR_TYPE`.
   * @default 'STREAM'
   */
  readonly type: 'STREAM'
  /**
   * The least grave level that is logged. Environment: `CONNECTOR_LOG_LEVEL`.
   * @default 'error'
   */
  readonly log_level: 'debug' | 'info' | 'warn' | 'error'
  /**
   * Id of the stream to listen to. Absent when it is not set or still `ChangeMe`, which `checkStream()` reports
   * before anything else at a start. Environment: `CONNECTOR_LIVE_STREAM_ID`.
   */
  readonly live_stream_id?: string | undefined
  /**
   * Withdraw what the platform deletes, merges away or takes out of the stream; false keeps it in the target. What
   * is withdrawn because it was revoked, has expired, or no longer passes the connector’s own filter is not
   * concerned. Environment: `CONNECTOR_LIVE_STREAM_LISTEN_DELETE`.
   * @default true
   */
  readonly live_stream_listen_delete: boolean
  /**
   * Leave out what an entity refers to; false floods the connector.
   * Environment: `CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES`.
   * @default true
   */
  readonly live_stream_no_dependencies: boolean
  /**
   * Deliver inferred entities too. Environment: `CONNECTOR_LIVE_STREAM_WITH_INFERENCES`.
   * @default false
   */
  readonly live_stream_with_inferences: boolean
  /**
   * Where to start while there is no state; not set means the beginning, unless the code of the connector says
   * otherwise. `now` leaves out what exists, as a chat wants it; `0` is the beginning.
   * Environment: `CONNECTOR_LIVE_STREAM_START_TIMESTAMP`.
   */
  readonly live_stream_start_timestamp?: string | undefined
  /**
   * Catch up with what is older than the stream’s retention. Environment: `CONNECTOR_LIVE_STREAM_RECOVER`.
   * @default true
   */
  readonly live_stream_recover: boolean
  /**
   * Up to when to catch up while there is no state; not set means now. An ISO date; `false` for no catching up.
   * Environment: `CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE`.
   */
  readonly live_stream_recover_iso_date?: string | false | undefined
  /**
   * Serve Prometheus metrics. Environment: `CONNECTOR_EXPOSE_METRICS`.
   * @default false
   */
  readonly expose_metrics: boolean
  /**
   * Port of the metrics; 0 takes a free one. A whole number from 0 to 65,535.
   * Environment: `CONNECTOR_METRICS_PORT`.
   * @default 9095
   */
  readonly metrics_port: number
  /**
   * Address that the metrics listen on. Environment: `CONNECTOR_METRICS_HOST`.
   * @default '0.0.0.0'
   */
  readonly metrics_host: string
  /**
   * First part of the names of the metrics. Environment: `CONNECTOR_METRICS_NAMESPACE`.
   * @default ''
   */
  readonly metrics_namespace: string
  /**
   * Second part of the names of the metrics. Environment: `CONNECTOR_METRICS_SUBSYSTEM`.
   * @default ''
   */
  readonly metrics_subsystem: string
  /**
   * Changes of the routes that the connector has, by their name, as JSON or YAML: tlp, min_tlp, max_tlp,
   * rate_limit_per_second, rate_limit_burst, concurrency. Environment: `CONNECTOR_ROUTES`.
   */
  readonly routes?: Readonly<Record<string, RouteChanges>> | undefined
  /**
   * Folder of the state file, on a volume. Where ./state cannot be written, the default is a folder of the user’s
   * own, which may be a temporary one. Environment: `CONNECTOR_STATE_DIR`.
   * @default './state'
   */
  readonly state_dir: string
}
