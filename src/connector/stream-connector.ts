import { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type PlatformLookups } from '../lookups/platform-lookups.ts'
import { type OwnMetrics } from '../observe/metrics/own-metrics.ts'
import { type CheckedStream } from '../opencti/stream-check.ts'
import {
  defineSettings,
  type NoSettings,
  type SettingsDefinition,
} from '../settings/schemas/define-settings.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Defaults } from '../settings/reading/resolve-defaults.ts'
import { type SettingsOf } from '../settings/schemas/settings-of.ts'
import { type TargetSettings } from '../settings/schemas/target-settings.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type Logger } from '../util/logger.ts'
import { Redactor } from '../util/redactor.ts'
import { connectorMark, connectorTools } from './connector-tools.ts'
import { type ConnectorOptions } from '../contract/connector-options.ts'
import { type ConnectorStatus } from '../observe/connector-status.ts'
import { type ConnectorList } from '../snapshots/list-files.ts'
import { TargetHooks, type ConnectorHooks } from '../contract/hooks.ts'
import { type ReconcileOptions, type ReconcileReport } from '../contract/reconcile-report.ts'
import { type WithItsSettings } from '../contract/with-its-settings.ts'
import { type TargetClients } from '../target/target-clients.ts'
import { interceptedStart } from './start-interception.ts'
import { streamMessage, streamMessages, type StreamConnectorMessage } from '../intake/connector-message.ts'
import { settingsHint } from './settings-hint.ts'
import { prepareConnector } from './prepare-connector.ts'
import { runProgram } from './run-program.ts'
import { type Runtime } from './runtime.ts'

/**
 * Base class of every stream connector. Extend it, then write `transform` and the hooks `create`, `update`,
 * and `delete` against your target's client. The SDK does everything between the live stream and those hooks:
 * no event is lost, reordered, or silently dropped.
 *
 * Hooks may take as long as they like. Those of one entity run one at a time, in stream order; those of
 * different entities run in parallel. The error a hook throws decides what happens next: see
 * `RetryableError`, `PermanentError`, `SkipEvent`, and `StopConnector`. HTTP client errors are classified by
 * status.
 *
 * @typeParam Definition type of {@link StreamConnector.settings}; `NoSettings` to name only an item type.
 * @typeParam Item the target's representation of an entity.
 *
 * @example
 * ```ts
 * import { StreamConnector, defineSettings, secret, z } from 'opencti-stream-connector'
 * import type { ConnectorDefaults, Entity, EventContext } from 'opencti-stream-connector'
 * const settings = defineSettings({ my_siem: z.object({ url: z.url(), api_key: secret() }) })
 *
 * class SiemConnector extends StreamConnector<typeof settings, { name: string }> {
 *   static override readonly settings = settings
 *   static override readonly defaults = { filter: { types: ['indicator'] } } satisfies ConnectorDefaults
 *
 *   transform(entity: Entity) {
 *     return { name: entity.id }
 *   }
 *   override async create(item: { name: string }) {
 *     return item.name
 *   }
 *   override async delete(context: EventContext) {
 *     context.logger.info('gone', { id: context.externalId })
 *   }
 * }
 *
 * export { SiemConnector }
 * ```
 */
export abstract class StreamConnector<
  Definition extends SettingsDefinition = NoSettings,
  Item = Entity,
> extends TargetHooks<Item> {
  /** The connector's own settings, if any. */
  static readonly settings: NoSettings = defineSettings({})
  /** Connector defaults; operator settings win. Can be a function of the settings. */
  static readonly defaults: Defaults = {}

  /**
   * Lists of all items, by name: written to files, and served at `/lists/<name>` of the health endpoint, under
   * `CONNECTOR_LIST_TOKEN`. They change as `replaceAll` would be called; no hook but `transform` is needed.
   *
   * @default none
   */
  static readonly lists: Readonly<Record<string, ConnectorList>> = {}

  /** All settings: `opencti`, `connector`, and the connector's own sections. */
  readonly settings: SettingsOf<Definition>
  /** Resolved delivery options. */
  readonly delivery: DeliveryOptions
  /** Logger. Secret settings are redacted from every line. */
  readonly logger: Logger
  readonly #runtime: Runtime
  readonly #redactor = new Redactor()
  readonly #clients: TargetClients

  static {
    const tools = connectorTools((connector, text) =>
      #redactor in connector ? connector.#redactor.clean(text) : text,
    )
    Object.defineProperty(this.prototype, connectorMark, { value: tools })
  }

  /** @throws SettingsError listing every invalid setting. */
  constructor(options: ConnectorOptions = {}) {
    super()
    const { settings, defaults, lists, name } = this.constructor as typeof StreamConnector
    const hooks = this as unknown as ConnectorHooks
    const parts = prepareConnector(
      { settings, defaults, lists, name, hooks, redactor: this.#redactor },
      options,
    )
    // `Definition` is the type of the class's static `settings`.
    this.settings = parts.loaded.settings as SettingsOf<Definition>
    this.delivery = parts.loaded.delivery
    this.logger = parts.logger
    this.#clients = parts.clients
    this.#runtime = parts.runtime
  }

  /**
   * HTTP client for the target, created on first use. Applies the configured rate limit, proxies, and
   * certificate authorities, and a 30 s timeout for the response including its body (`timeout` overrides it).
   * All requests pause when the target answers 429 or 503 with `Retry-After`. A hook's requests end with it.
   * A connector that uses this client has its requests counted against the rate limit, not its hooks.
   *
   * @example
   * ```ts
   * import { StreamConnector, type Entity } from 'opencti-stream-connector'
   *
   * class Notifier extends StreamConnector {
   *   #client = this.http.extend({ baseUrl: 'https://chat.example.org/', headers: { 'x-team': 'soc' } })
   *   transform = (entity: Entity) => entity
   *   override async create(entity: Entity) {
   *     await this.#client.post('messages', { json: { text: entity.id } })
   *   }
   * }
   *
   * export { Notifier }
   * ```
   */
  get http(): KyInstance {
    return this.#clients.plain(undefined)
  }

  /**
   * HTTP client for the target behind one route. Like {@link http}, plus the route's own limit. If the target
   * asks for a pause and the route has its own limit, only that route waits.
   * @throws RangeError if the connector has no such route.
   *
   * @example
   * ```ts
   * import { StreamConnector, type ConnectorDefaults, type Entity, type EventContext } from 'opencti-stream-connector'
   *
   * class Channels extends StreamConnector {
   *   static override readonly defaults = { routes: { secure: {}, normal: {} } } satisfies ConnectorDefaults
   *   #channels = new Map(['secure', 'normal'].map((name) => [name, this.routeHttp(name)]))
   *   transform = (entity: Entity) => entity
   *   override async create(entity: Entity, context: EventContext) {
   *     await this.#channels.get(context.route!)!.post(`https://${context.route}.example.org/`, { json: entity })
   *   }
   * }
   *
   * export { Channels }
   * ```
   */
  routeHttp(route: string): KyInstance {
    return this.#clients.plain(route)
  }

  /**
   * HTTP client for one target. Like {@link http}, plus the base URL, TLS options, and credentials (token,
   * username and password, or OAuth 2.0) of a `targetSettings` section. All requests share one OAuth token,
   * renewed before it expires and after a 401.
   * @param route route whose limit the requests count against; omit to use the connector's limit.
   * @throws TypeError if the credentials are incomplete or of more than one kind.
   * @throws RangeError if the connector has no such route.
   *
   * @example
   * ```ts
   * import { StreamConnector, defineSettings, targetSettings, type Entity } from 'opencti-stream-connector'
   *
   * const settings = defineSettings({ siem: targetSettings('token') }) // SIEM_URL, SIEM_TOKEN, SIEM_SSL_VERIFY …
   *
   * class SiemConnector extends StreamConnector<typeof settings> {
   *   static override readonly settings = settings
   *   #siem = this.targetHttp(this.settings.siem)
   *   transform = (entity: Entity) => entity
   *   override async create(entity: Entity) {
   *     await this.#siem.post('indicators', { json: entity })
   *   }
   * }
   *
   * export { SiemConnector }
   * ```
   */
  targetHttp(target: TargetSettings, route?: string): KyInstance {
    return this.#clients.of(target, route)
  }

  /** Your own counters and gauges, served alongside the connector's metrics. See {@link OwnMetrics}. */
  get metrics(): OwnMetrics {
    return this.#runtime.metrics
  }

  /** Looks up platform data that the stream does not carry. Created on first use. */
  get platform(): PlatformLookups {
    return this.#runtime.lookups.get()
  }

  /**
   * Validates the stream id as the connector specification requires, and asks the platform whether the stream
   * exists, is running, and is readable.
   * @throws PlatformError with a `code` and message that say what is wrong and how to fix it.
   */
  checkStream(signal: AbortSignal = AbortSignal.timeout(60_000)): Promise<CheckedStream> {
    return this.#runtime.reading.check(signal)
  }

  /**
   * Runs one message through the whole pipeline, for tests and other event sources.
   * @returns the outcome, once processing has ended.
   * @throws StreamConnectorError `LIFECYCLE` if the connector stops first.
   */
  processMessage(message: StreamConnectorMessage): Promise<Outcome> {
    return this.#runtime.messages.one(streamMessage(message))
  }

  /**
   * Runs messages from another source, such as a recording, through the pipeline with the ordering, limits,
   * and batching of the live stream. Resolves when all are finished; {@link status} has the outcomes. Saves
   * no positions.
   *
   * @example
   * ```ts
   * import { type StreamConnector } from 'opencti-stream-connector'
   * import { readRecording } from 'opencti-stream-connector/testing'
   *
   * async function play(connector: StreamConnector, file: string) {
   *   await connector.processMessages(readRecording(file))
   *   return connector.status().delivered
   * }
   * ```
   */
  processMessages(
    messages: Iterable<StreamConnectorMessage> | AsyncIterable<StreamConnectorMessage>,
  ): Promise<void> {
    return this.#runtime.messages.all(streamMessages(messages))
  }

  /**
   * Compares the target ({@link list}) and the platform with what was pushed, then repairs the differences:
   * removes what the platform no longer has (`context.reason` is `reconciled`), recreates what the target
   * lost, and reports unknown entities in the target. Waits for the catch-up and any running comparison.
   * Works before {@link start}, too. The `reconcile` option schedules it.
   * @throws StreamConnectorError if the comparison failed; nothing then counts as gone or lost.
   *
   * @example
   * ```ts
   * import { type StreamConnector } from 'opencti-stream-connector'
   *
   * const repair = async (connector: StreamConnector) => (await connector.reconcile()).withdrawn
   * console.log(repair.length)
   * ```
   */
  reconcile(options: ReconcileOptions = {}): Promise<ReconcileReport> {
    return this.#runtime.reconcile(options)
  }

  /** Current status of the connector. */
  status(): ConnectorStatus {
    return this.#runtime.status()
  }

  /**
   * Starts the connector inside your own program. Resolves once the stream is being read. Waits while the
   * platform is unavailable, the stream is stopped, or the target is not ready.
   * @throws StreamConnectorError if the stream does not exist, the token is refused, or the state is
   *   unusable.
   */
  start(): Promise<void> {
    return interceptedStart(this.constructor) ?? this.#runtime.start()
  }

  /** Resolves when the connector has stopped. Rejects if a failure stopped it. */
  get finished(): Promise<void> {
    return this.#runtime.finished
  }

  /**
   * Stops reading, gives work in flight `stopGraceMs` to finish, saves, and sends a last ping to the
   * platform. Safe to call twice.
   */
  stop(): Promise<void> {
    return this.#runtime.stop()
  }

  /** Aborts work in flight so that a running {@link stop} ends soon. The work is redone at the next start. */
  abandon(): void {
    this.#runtime.abandon()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /**
   * Runs the connector as a program: starts, stops on SIGTERM or SIGINT (a second signal aborts work in
   * flight), and exits with 0 after a stop, 2 for invalid settings, 3 if the platform refuses the token or
   * the stream, and 1 otherwise. Logs unhandled promise rejections, with the hooks then running, and carries
   * on.
   */
  static async run<Class extends new () => Pick<StreamConnector, 'start' | 'stop' | 'abandon' | 'finished'>>(
    this: Class & WithItsSettings<Class>,
  ): Promise<never> {
    if (this === (StreamConnector as unknown))
      throw new StreamConnectorError('LIFECYCLE', 'Call run() on the class that extends StreamConnector.')
    const note = (connector: object, error: unknown, isGoingOn: boolean) => {
      if (#runtime in connector) connector.#runtime.noteUnhandled(error, isGoingOn)
    }
    return interceptedStart(this) ?? runProgram(() => new this(), note, settingsHint(this))
  }
}
