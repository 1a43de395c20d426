// Generated from the schemas by `npm run generate`. Edit those instead.

import { type Secret } from '../../util/secret.ts'
import { type RouteChanges } from './route-options.ts'

/** The connector and its stream: the `connector` section of the settings. */
export interface ConnectorSettings {
  /** Id of this connector on the platform. Environment: `CONNECTOR_ID`. */
  readonly id: string
  /** Name of the connector, as shown on the platform. Environment: `CONNECTOR_NAME`. */
  readonly name: string
  /**
   * Scope the connector declares on the platform; does not filter events. Environment: `CONNECTOR_SCOPE`.
   * @default ['not-applicable']
   */
  readonly scope: readonly string[]
  /**
   * Type of the connector; always STREAM. Environment: `CONNECTOR_TYPE`.
   * @default 'STREAM'
   */
  readonly type: 'STREAM'
  /**
   * Lowest level to log. Environment: `CONNECTOR_LOG_LEVEL`.
   * @default 'error'
   */
  readonly log_level: 'debug' | 'info' | 'warn' | 'error'
  /**
   * Id of the live stream to read. Undefined if unset or still `ChangeMe`; `checkStream()` reports that first at
   * startup. Environment: `CONNECTOR_LIVE_STREAM_ID`.
   */
  readonly live_stream_id?: string | undefined
  /**
   * Remove entities the platform deletes, merges away, or drops from the stream; false keeps them in the target.
   * Does not affect entities removed because they are revoked, expired, or no longer pass the connector’s own
   * filter. Environment: `CONNECTOR_LIVE_STREAM_LISTEN_DELETE`.
   * @default true
   */
  readonly live_stream_listen_delete: boolean
  /**
   * Omit the entities that an entity references; false floods the connector.
   * Environment: `CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES`.
   * @default true
   */
  readonly live_stream_no_dependencies: boolean
  /**
   * Also deliver inferred entities. Environment: `CONNECTOR_LIVE_STREAM_WITH_INFERENCES`.
   * @default false
   */
  readonly live_stream_with_inferences: boolean
  /**
   * Where to start if there is no saved state; unset means the beginning, unless the connector’s code says
   * otherwise. `now` leaves out everything that already exists, as a chat connector wants; `0` is the beginning.
   * Environment: `CONNECTOR_LIVE_STREAM_START_TIMESTAMP`.
   */
  readonly live_stream_start_timestamp?: string | undefined
  /**
   * Catch up on entities older than the stream’s retention. Environment: `CONNECTOR_LIVE_STREAM_RECOVER`.
   * @default true
   */
  readonly live_stream_recover: boolean
  /**
   * End of the catch-up if there is no saved state; unset means now. An ISO date; `false` disables the catch-up.
   * Environment: `CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE`.
   */
  readonly live_stream_recover_iso_date?: string | false | undefined
  /**
   * Serve Prometheus metrics. Environment: `CONNECTOR_EXPOSE_METRICS`.
   * @default false
   */
  readonly expose_metrics: boolean
  /**
   * Port of the metrics endpoint; 0 picks a free one. A whole number from 0 to 65,535.
   * Environment: `CONNECTOR_METRICS_PORT`.
   * @default 9095
   */
  readonly metrics_port: number
  /**
   * Address the metrics endpoint listens on. Environment: `CONNECTOR_METRICS_HOST`.
   * @default '0.0.0.0'
   */
  readonly metrics_host: string
  /**
   * First part of all metric names. Environment: `CONNECTOR_METRICS_NAMESPACE`.
   * @default ''
   */
  readonly metrics_namespace: string
  /**
   * Second part of all metric names. Environment: `CONNECTOR_METRICS_SUBSYSTEM`.
   * @default ''
   */
  readonly metrics_subsystem: string
  /**
   * Redis through which all copies of the connector share the work, with its state; `redis://` or `rediss://`.
   * Environment: `CONNECTOR_CLUSTER_URL`.
   */
  readonly cluster_url?: Secret | undefined
  /**
   * Number of parts that the copies share, at least as many as copies; fixed when the cluster is created. A whole
   * number from 1 to 256. Environment: `CONNECTOR_CLUSTER_PARTITIONS`.
   * @default 16
   */
  readonly cluster_partitions: number
  /**
   * Token for fetching the lists this connector serves, sent as a bearer token or as the password of any user name.
   * Environment: `CONNECTOR_LIST_TOKEN`.
   */
  readonly list_token?: Secret | undefined
  /**
   * Changes to the connector’s routes, by name, as JSON or YAML: tlp, min_tlp, max_tlp, rate_limit_per_second,
   * rate_limit_burst, concurrency. Environment: `CONNECTOR_ROUTES`.
   */
  readonly routes?: Readonly<Record<string, RouteChanges>> | undefined
  /**
   * Folder of the state file; put it on a volume. If ./state is not writable, the default is a per-user folder,
   * which may be temporary. Environment: `CONNECTOR_STATE_DIR`.
   * @default './state'
   */
  readonly state_dir: string
  /**
   * Database that keeps the state instead of a file: postgres://user:password@host/database, or
   * redis://user:password@host. Several copies of the connector can share it; one leads, and the others take over
   * when it stops. Environment: `CONNECTOR_STATE_URL`.
   */
  readonly state_url?: Secret | undefined
  /**
   * Time without a sign of life, in milliseconds, after which another copy of the connector takes over. Only with a
   * state in a database, or in a cluster. A whole number from 1,000 to 600,000. Environment: `CONNECTOR_LEASE_MS`.
   * @default 5000
   */
  readonly lease_ms: number
}
