import { join } from 'node:path'
import { createLogger } from '../observe/log/create-logger.ts'
import { redactingLogger } from '../observe/log/redacting-logger.ts'
import { scrubbed } from '../observe/log/scrub.ts'
import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'
import { loadSettings, type LoadedSettings } from '../settings/reading/load-settings.ts'
import { type Defaults, namedDefaults } from '../settings/reading/resolve-defaults.ts'
import { storeAtUrl } from './store-at-url.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import { chooseStateFolder } from '../store/state-folder.ts'
import { stateFolderNote } from '../store/state-folder-note.ts'
import { systemRandom } from '../util/backoff.ts'
import { systemClock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'
import { type ConnectorOptions } from '../contract/connector-options.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { TargetClients } from '../target/target-clients.ts'
import { TargetLimits } from '../flow/target-limits.ts'
import { wordsOfNotice } from '../observe/notices/words-of-notice.ts'
import { type ConnectorList, ListFiles } from '../snapshots/list-files.ts'
import { SettingsError } from '../errors/settings-error.ts'
import { Cluster, type ClusterOptions } from '../cluster/cluster.ts'
import { Runtime } from './runtime.ts'

/** What a connector class says about itself. */
export interface ConnectorIdentity {
  readonly settings: SettingsDefinition
  readonly defaults: Defaults
  /** Lists to write to files and to serve, by name. */
  readonly lists: Readonly<Record<string, ConnectorList>>
  readonly name: string
  readonly hooks: ConnectorHooks
  /** Receives every secret in the settings. */
  readonly redactor: Redactor
}

/**
 * Loads the settings and builds a connector's parts.
 *
 * @throws SettingsError listing every invalid setting.
 */
export function prepareConnector(
  { settings, defaults, lists, name, hooks, redactor }: ConnectorIdentity,
  options: ConnectorOptions,
): ConnectorParts {
  const loaded = loadSettings(settings, {
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.directory === undefined ? {} : { directory: options.directory }),
    defaults: namedDefaults(name, defaults),
  })
  for (const secret of loaded.secrets) redactor.add(secret)
  const { connector, opencti } = loaded.settings
  const clock = options.clock ?? systemClock
  const ownLogger =
    options.logger === undefined
      ? createLogger({
          name: connector.name,
          level: connector.log_level,
          json: opencti.json_logging,
          redactor,
          clock,
        })
      : undefined
  const logger = ownLogger ?? redactingLogger(options.logger!, redactor)
  const limits = new TargetLimits(loaded.delivery, clock)
  const onNotice = (received: ConnectorNotice) => {
    const notice = scrubbed(received, redactor)
    const { level, message, attributes } = wordsOfNotice(notice)
    logger[level](message, attributes)
    try {
      options.onNotice?.(notice)
    } catch (error) {
      logger.error('A notice listener threw an error', { error })
    }
  }
  const stateUrl = options.store === undefined ? connector.state_url?.reveal() : undefined
  // Whoever brings a store, as commands that only try a connector do, works alone.
  const cluster = options.store === undefined ? clusterOf(loaded, { clock, logger }) : undefined
  const folder =
    options.store === undefined && stateUrl === undefined && cluster === undefined
      ? chooseStateFolder({ named: connector.state_dir, connectorId: connector.id, env: options.env })
      : undefined
  const files =
    Object.keys(lists).length === 0
      ? undefined
      : new ListFiles({
          lists,
          routes: loaded.delivery.routes.map((route) => route.name),
          folder: join(folder?.path ?? connector.state_dir, 'lists', connector.id),
          isServed: loaded.delivery.health.port !== undefined,
          clock,
          logger,
        })
  const runtime = new Runtime({
    hooks,
    files,
    loaded,
    cluster,
    store:
      options.store ??
      cluster ??
      (stateUrl === undefined
        ? new SqliteStore({ directory: folder!.path, connectorId: connector.id })
        : storeAtUrl(stateUrl, { leaseMs: connector.lease_ms })),
    folderNote: folder && stateFolderNote(folder),
    clock,
    random: options.random ?? systemRandom,
    logger,
    limits,
    redactor,
    onNotice,
  })
  const flush = () => ownLogger?.flush()
  runtime.finished.then(flush, flush)
  const clients = new TargetClients({
    limits,
    clock,
    settings: opencti,
    redactor,
    stopped: runtime.givenUp,
  })
  return { loaded, logger, clients, runtime }
}

/**
 * The cluster whose copies share the work; undefined if none is configured.
 *
 * @throws SettingsError if the state should be elsewhere.
 */
function clusterOf(
  { settings }: LoadedSettings,
  parts: Pick<ClusterOptions, 'clock' | 'logger'>,
): Cluster | undefined {
  const {
    cluster_url: url,
    cluster_partitions: partitions,
    lease_ms: leaseMs,
    state_url: stateUrl,
  } = settings.connector
  if (url === undefined) return undefined
  if (stateUrl !== undefined && stateUrl.reveal() !== url.reveal())
    throw new SettingsError([
      {
        environment: 'CONNECTOR_STATE_URL',
        yamlPath: 'connector.state_url',
        message:
          'names another place than CONNECTOR_CLUSTER_URL, where a cluster keeps the state of all copies',
        remedy: 'Unset it.',
      },
    ])
  return new Cluster({ ...parts, url: url.reveal(), partitions, leaseMs })
}

export interface ConnectorParts {
  readonly loaded: LoadedSettings
  readonly logger: Logger
  readonly clients: TargetClients
  readonly runtime: Runtime
}
