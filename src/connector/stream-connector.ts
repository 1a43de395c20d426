import { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type FlushResult } from '../flow/flush-answer.ts'
import { type EntityLink } from '../lookups/platform-knowledge.ts'
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
import { type MaybePromise } from '../store/state-store.ts'
import { type Logger } from '../util/logger.ts'
import { Redactor } from '../util/redactor.ts'
import { connectorMark, connectorTools } from './connector-tools.ts'
import { type ConnectorOptions } from '../contract/connector-options.ts'
import { type ConnectorStatus } from '../observe/connector-status.ts'
import { type EventContext } from '../contract/event-context.ts'
import { type ConnectorHooks, type FlushOperation } from '../contract/hooks.ts'
import { type Listing, type ReconcileOptions, type ReconcileReport } from '../contract/reconcile-report.ts'
import { type WithItsSettings } from '../contract/with-its-settings.ts'
import { type TargetClients } from '../target/target-clients.ts'
import { interceptedStart } from './start-interception.ts'
import { streamMessage, streamMessages, type StreamConnectorMessage } from '../intake/connector-message.ts'
import { settingsHint } from './settings-hint.ts'
import { prepareConnector } from './prepare-connector.ts'
import { runProgram } from './run-program.ts'
import { type Runtime } from './runtime.ts'

/**
 * The base of every stream connector: extend it and write `transform` and the hooks `create`, `update` and `delete`
 * against the client of your target. Everything between the platform's live stream and those hooks is done here:
 * nothing is lost, nothing is reordered, nothing is silently dropped.
 *
 * A hook may take as long as it likes. Hooks of one entity run one after another in the order of the stream, those of
 * different entities side by side. What they throw decides what happens: see `RetryableError`, `PermanentError`,
 * `SkipEvent` and `StopConnector`; errors of HTTP clients are understood by their status.
 *
 * @typeParam Definition what {@link StreamConnector.settings} was defined with; `NoSettings` where only an item is named.
 * @typeParam Item the target's own shape of an entity.
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
export abstract class StreamConnector<Definition extends SettingsDefinition = NoSettings, Item = Entity> {
  /** The connector's own settings. Default: none. */
  static readonly settings: NoSettings = defineSettings({})
  /** What the connector sets for itself, below what an operator writes; it may follow the settings, as a function of them. */
  static readonly defaults: Defaults = {}

  /** All settings: `opencti`, `connector`, and the sections of the connector's own. */
  readonly settings: SettingsOf<Definition>
  /** The options of delivery that are in force. */
  readonly delivery: DeliveryOptions
  /** Writes log lines, cleaned of every secret setting. */
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

  /** @throws SettingsError with every problem of the settings at once. */
  constructor(options: ConnectorOptions = {}) {
    const { settings, defaults, name } = this.constructor as typeof StreamConnector
    const hooks = this as unknown as ConnectorHooks
    const parts = prepareConnector({ settings, defaults, name, hooks, redactor: this.#redactor }, options)
    // The definition is the class's own static member, which its type parameter describes.
    this.settings = parts.loaded.settings as SettingsOf<Definition>
    this.delivery = parts.loaded.delivery
    this.logger = parts.logger
    this.#clients = parts.clients
    this.#runtime = parts.runtime
  }

  /**
   * An HTTP client for the target, made at its first use: with a limit of 30 s for an answer and its body (`timeout` sets
   * another one, `false` none), the rate limit, the proxies and the authorities of the settings, and a pause of all
   * requests when the target answers 429 or 503 with `Retry-After`. Requests that a hook makes end with it. A connector that
   * uses it has its requests counted against the rate limit, in place of its hooks.
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
   * An HTTP client for the channel that a route leads to: as {@link http}, with the limit of the route beside that of the
   * connector. When the channel asks for a pause and the route has a limit of its own, only the route waits.
   *
   * @throws RangeError when the connector has no such route.
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
   * An HTTP client for one target: as {@link http}, with its address as prefix, its credentials (a token, name and password, or
   * OAuth 2.0) and its TLS. What `targetSettings` has declared can be handed over as it is. OAuth tokens are fetched once for
   * all requests, renewed before they expire and when the target answers 401.
   *
   * @param route the route whose limit its requests count against; absent for that of the connector.
   * @throws TypeError when the credentials are of several kinds or not whole.
   * @throws RangeError when the connector has no such route.
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

  /** Counters and gauges of the author's own, served with those of the connector: see {@link OwnMetrics}. */
  get metrics(): OwnMetrics {
    return this.#runtime.metrics
  }

  /** Questions to the platform about what the stream does not carry: see {@link PlatformLookups}. Made at its first use. */
  get platform(): PlatformLookups {
    return this.#runtime.lookups.get()
  }

  /**
   * Turns an entity into the target's own shape. `undefined` says that it does not belong at the target: the event is
   * skipped, or the entity withdrawn (`delete`, reason `left-filter`) when it was pushed before. To leave what the target
   * has as it is, throw {@link SkipEvent}.
   *
   * Errors here are taken for bugs, and the event becomes a dead letter; an error of the network, as of a look-up, is
   * tried again.
   */
  abstract transform(entity: Entity, context: EventContext): MaybePromise<Item | undefined>

  /**
   * Brings a new entity to the target. The returned id is remembered and offered as `context.externalId` from then on.
   * 409 (it is there already) makes it an `update`, with the id that `find` answers, unless `on.createExisting` says otherwise.
   */
  create?(item: Item, context: EventContext): MaybePromise<string | number | void>

  /** Brings the new state of an entity to the target. 404 (the target has lost it) makes it a `create`. */
  update?(item: Item, context: EventContext): MaybePromise<string | number | void>

  /**
   * Withdraws an entity from the target; `context.reason` says why. 404 to a known id (it is gone already) counts as success
   * unless `on.deleteMissing` says otherwise. Not called while another entity is there under the same id.
   */
  delete?(context: EventContext): MaybePromise<void>

  /**
   * The target's id of an entity that this connector does not know, or `undefined` when the target has none: for targets that
   * give ids of their own. Without it, what was created just before a crash, or before the state was lost, cannot be updated or
   * withdrawn there: such events become dead letters.
   */
  find?(entity: Entity, context: EventContext): MaybePromise<string | number | undefined>

  /**
   * Takes many operations at once, in place of `create`, `update` and `delete`. Return one result for each operation,
   * in the same order, or nothing when all of them were taken.
   */
  flush?(operations: readonly FlushOperation<Item>[]): MaybePromise<readonly FlushResult[] | void>

  /**
   * Everything that the target holds of this connector, in any order: its ids, or objects with `externalId` or `stixId`.
   * Lets {@link reconcile} find what the target has lost, and what is there that nobody knows.
   *
   * A list that cannot be told whole has to throw: what is not in it counts as lost.
   */
  list?(signal: AbortSignal): MaybePromise<Listing>

  /**
   * Where a person finds an entity at the target. The answer is added to the entity at the platform as an external reference,
   * once, when the target has first taken the entity: without holding up events, tried until it is done, also after a crash.
   * The event that comes back from it is skipped. The token's user needs the right to change knowledge.
   *
   * @param externalId the target's id of it, if it has one.
   * @example
   * ```ts
   * import { StreamConnector, type Entity } from 'opencti-stream-connector'
   *
   * class Ticketing extends StreamConnector {
   *   transform = (entity: Entity) => entity
   *   override link = (id?: string) => ({ source_name: 'Ticketing', url: `https://tickets.example.org/${id}` })
   * }
   * console.log(Ticketing.name)
   * ```
   */
  link?(externalId: string | undefined, entity: Entity): MaybePromise<EntityLink | undefined>

  /** Whether the target is there and takes our credentials. Runs before the stream opens, until it does not throw. */
  check?(signal: AbortSignal): MaybePromise<void>

  /** Opens what the hooks need. Runs once, before anything else. */
  open?(): MaybePromise<void>

  /**
   * The newest `context.safePosition` that this connector has stored at its target, in the transactions of its effects;
   * `undefined` when there is none. The stream goes on from there at a start, whatever the state file says, unless somebody
   * has reset the connector. For effects that happen exactly once: see the guide on delivery. Asked after {@link open},
   * until it does not throw.
   */
  loadPosition?(signal: AbortSignal): MaybePromise<string | undefined>

  /** Closes what {@link open} has opened. Runs once, after everything else. */
  close?(): MaybePromise<void>

  /**
   * The specification's validation of the stream id, and the question to the platform whether the stream exists, runs and
   * may be read.
   *
   * @throws PlatformError whose `code` and message say what is wrong and what to do.
   */
  checkStream(signal: AbortSignal = AbortSignal.timeout(60_000)): Promise<CheckedStream> {
    return this.#runtime.checkStream(signal)
  }

  /**
   * Takes one message through the whole pipeline, as a test or another source feeds it.
   *
   * @returns what became of it, when it has come to its end.
   * @throws StreamConnectorError `LIFECYCLE` when the connector stops before that.
   */
  processMessage(message: StreamConnectorMessage): Promise<Outcome> {
    return this.#runtime.processMessage(streamMessage(message))
  }

  /**
   * Takes the messages of another source, such as a recording, through the whole pipeline: in their order, as many at a time
   * as the stream may have in flight, in batches where there are batches. Resolves when all have come to their end; what
   * became of them is in {@link status}. No position is kept.
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
    return this.#runtime.processMessages(streamMessages(messages))
  }

  /**
   * Compares the target ({@link list}) and the platform with what was pushed, and repairs: withdraws what is gone at the
   * platform (`context.reason` is `reconciled`), creates what the target has lost, reports what is in the target and unknown.
   * It waits until the connector has caught up, and for another comparison; it works before {@link start} as well. The option
   * `reconcile` has it done from time to time.
   *
   * @throws StreamConnectorError when the comparison could not be made whole: nothing is taken for gone or lost then.
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

  /** How the connector does right now. */
  status(): ConnectorStatus {
    return this.#runtime.status()
  }

  /**
   * Starts the connector in a program of its own making; resolves when the stream is being read. A platform that is away,
   * a stream that is stopped and a target that is not ready are waited for.
   *
   * @throws StreamConnectorError when it cannot start: a stream that does not exist, a token that is refused, a state
   * that cannot be used.
   */
  start(): Promise<void> {
    return interceptedStart(this.constructor) ?? this.#runtime.start()
  }

  /** Resolves when the connector has stopped; rejects when it stopped because it could not go on. */
  get finished(): Promise<void> {
    return this.#runtime.finished
  }

  /** Stops reading, lets work finish within `stopGraceMs`, saves, and says goodbye to the platform. Safe to call twice. */
  stop(): Promise<void> {
    return this.#runtime.stop()
  }

  /** Gives up what is in flight: a {@link stop} that is under way ends soon. Nothing is lost, only done again. */
  abandon(): void {
    this.#runtime.abandon()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /**
   * Runs the connector as a program: reads the settings, starts, stops on SIGTERM and SIGINT (the second one gives up at
   * once), and ends the process: 0 after a stop, 2 when the settings are wrong, 3 when the platform refuses the token or the stream, 1 else. A promise of the
   * connector that is rejected and that nobody waits for is logged with what was at work, and ends nothing.
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
