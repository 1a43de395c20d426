import { randomUUID } from 'node:crypto'
import { withoutEnd } from '../util/without-end.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { seededRandom } from './builders/seeded-random.ts'
import { Faults } from './faults.ts'
import { ConnectorRegistry, type RegisteredConnector } from './graphql/connector-registry.ts'
import { GraphqlApi } from './graphql/graphql-api.ts'
import { knowledgeResolvers } from './graphql/knowledge-resolvers.ts'
import { platformResolvers } from './graphql/platform-resolvers.ts'
import { type LoadSummary, type StixSource } from './knowledge/bundle.ts'
import { FileStorage, type FileEntry, type FileInput } from './knowledge/file-storage.ts'
import { importBundle } from './knowledge/import-bundle.ts'
import { Platform, type StixChanges, type WriteOptions } from './knowledge/platform.ts'
import { type StixInput } from './knowledge/platform-shape.ts'
import { openCtiPropertiesOf, type StixObject } from './knowledge/stix-object.ts'
import { tlpMarkings } from './knowledge/tlp-markings.ts'
import { largeReport } from './large-report.ts'
import {
  AccessControl,
  connectorCapabilities,
  type SimulatedCollection,
  type SimulatedUser,
} from './live/access.ts'
import { type LiveConnection } from './live/live-connection.ts'
import { type StreamEnvelope } from './live/stream-envelope.ts'
import { WakeUp } from './live/wake-up.ts'
import { PlatformHttp } from './http/platform-http.ts'
import { platformFeatures, type PlatformProfile } from './platform-profile.ts'
import { RequestLog, type SimulatedRequest } from './http/request-log.ts'
import { SimulatedCollections, SimulatedUsers } from './simulated-access.ts'
import { type SimulatorOptions } from './simulator-options.ts'

/** A published event. */
export interface PublishedEvent {
  /** Id in the stream, such as `1788252000123-0`. */
  readonly id: string
  readonly type: StreamEnvelope['type']
  readonly data: StixObject
  readonly envelope: StreamEnvelope
}

/**
 * An OpenCTI platform in this process, for tests and demos: real HTTP on the loopback interface, the live
 * stream with catch-up, dependencies, filters, and heartbeats, registration, pings, and resets, and every way
 * these can fail.
 *
 * Starts with the five TLP markings, whose creation begins its history, one started stream that contains
 * everything, and a user with the usual permissions of a connector.
 *
 * @example
 * ```ts
 * import { buildIndicator, Simulator } from 'opencti-stream-connector/testing'
 *
 * await using simulator = await Simulator.start()
 * const indicator = simulator.create(buildIndicator('ipv4'))
 * simulator.update(indicator.id, { x_opencti_score: 10 })
 * simulator.delete(indicator.id)
 *
 * const response = await fetch(`${simulator.url}/stream/${simulator.streamId}?from=0-0`, {
 *   headers: { authorization: `Bearer ${simulator.token}` },
 * })
 * console.log(response.status) // 200
 * await response.body?.cancel()
 * ```
 */
export class Simulator implements AsyncDisposable {
  readonly profile: PlatformProfile
  /** The connector's user, who may register, ping, and read streams. */
  readonly user: SimulatedUser
  /** A user with all permissions, including the raw stream and `live`. */
  readonly admin: SimulatedUser
  /** The stream that contains everything. */
  readonly stream: SimulatedCollection
  /** Connector id in {@link environment}. Stays the same for this simulator. */
  readonly connectorId = randomUUID()
  /** Failure injection. */
  readonly faults: Faults
  /** Streams of the platform. */
  readonly collections: SimulatedCollections
  /** Users of the platform. */
  readonly users: SimulatedUsers
  readonly #clock: Clock
  readonly #host: string
  readonly #basePath: string
  readonly #platform: Platform
  readonly #files = new FileStorage()
  readonly #registry = new ConnectorRegistry()
  readonly #requests = new RequestLog()
  readonly #http: PlatformHttp

  private constructor(options: SimulatorOptions) {
    const { profile = '7.x-new', clock = systemClock, heartbeatMs = 5000, retention = 2_000_000 } = options
    const features = platformFeatures[profile]
    this.profile = profile
    this.#clock = clock
    this.#host = options.host ?? '127.0.0.1'
    this.#basePath = withoutEnd((options.basePath ?? '').replace(/^\/*(?=[^/])/, '/'), '/')
    this.#platform = new Platform({ clock, maxEvents: retention, isSeven: features.isSeven })
    for (const marking of tlpMarkings()) this.#platform.createAsDated(marking)
    const access = new AccessControl(features)
    this.collections = new SimulatedCollections(access)
    this.users = new SimulatedUsers(access)
    this.user = access.addUser({
      token: options.token,
      capabilities: options.capabilities ?? connectorCapabilities,
    })
    this.admin = access.addUser({ name: 'admin', capabilities: ['BYPASS'] })
    this.stream = access.addCollection({ name: 'Everything' })
    this.faults = new Faults({
      platform: this.#platform,
      connections: () => this.#http.connections,
      createLarge: (bytes) => this.create(largeReport(bytes, this.#platform.log.produced, clock.now())),
      close: () => this.#http.close('crash'),
      open: () => this.#http.open(),
    })
    const newEvents = new WakeUp(clock)
    this.#platform.onEvent(() => newEvents.wake())
    this.#http = new PlatformHttp({
      host: this.#host,
      port: options.port ?? 0,
      basePath: this.#basePath,
      requests: this.#requests,
      graphql: new GraphqlApi({
        features,
        faults: this.faults,
        resolvers: {
          ...platformResolvers({
            clock,
            features,
            access,
            registry: this.#registry,
            log: this.#platform.log,
          }),
          ...knowledgeResolvers(this.#platform),
        },
      }),
      files: this.#files,
      live: {
        clock,
        features,
        access,
        heartbeatMs,
        retention,
        newEvents,
        platform: this.#platform,
        faults: this.faults,
        random: seededRandom(options.seed ?? 1),
        idleReadMs: options.idleReadMs ?? heartbeatMs,
        catchUpPage: options.catchUpPage ?? features.catchUpPage,
        cacheBounds: {
          maxSize: options.dependencyCacheSize ?? 5000,
          maxAgeMs: options.dependencyCacheAgeMs ?? 3_600_000,
        },
      },
    })
  }

  /** Starts a simulator. @throws Error if the port is taken. */
  static async start(options: SimulatorOptions = {}): Promise<Simulator> {
    const simulator = new Simulator(options)
    await simulator.#http.open()
    return simulator
  }

  /** URL of the platform, for `OPENCTI_URL`. */
  get url(): string {
    return `http://${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.port}${this.#basePath}`
  }

  get port(): number {
    return this.#http.port
  }

  /** Token of {@link user}. */
  get token(): string {
    return this.user.token
  }

  /** Id of {@link stream}. */
  get streamId(): string {
    return this.stream.id
  }

  /** Environment variables for a connector that uses this simulator. */
  environment(overrides: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      OPENCTI_URL: this.url,
      OPENCTI_TOKEN: this.token,
      CONNECTOR_ID: this.connectorId,
      CONNECTOR_LIVE_STREAM_ID: this.streamId,
      ...overrides,
    }
  }

  /**
   * Stores an object as the platform would, and publishes its creation.
   *
   * @param entity any STIX object; if it has no id, the platform assigns one. `x_opencti_…` properties move
   *   to the extensions.
   * @returns the stored object, frozen. Use {@link update} to change it.
   * @throws Error if it already exists.
   */
  create<Input extends StixInput>(entity: Input, options?: WriteOptions): StixObject & Input {
    return this.#platform.create(entity, options).object as StixObject & Input
  }

  /**
   * Changes an object, and publishes the update unless nothing changed. As on the platform, a new name or
   * value can change the object's id.
   *
   * @param id standard, former, foreign, or OpenCTI id.
   * @param changes new values by property (`{ x_opencti_score: 10, labels: ['botnet'], description: undefined
   *   }`), or a function that modifies a copy of the object.
   * @returns the stored object.
   * @throws Error if there is no such object.
   */
  update(id: string, changes: StixChanges, options?: WriteOptions): StixObject {
    return this.#platform.update(id, changes, options).object
  }

  /**
   * Attaches a file to an object, as an upload does, and publishes the update.
   *
   * @returns the object's entry for the file, with its download path in `uri`.
   * @throws Error if there is no such object.
   *
   * @example
   * ```ts
   * import { buildReport, Simulator } from 'opencti-stream-connector/testing'
   *
   * await using simulator = await Simulator.start()
   * const report = simulator.create(buildReport())
   * const { uri } = simulator.attachFile(report.id, { name: 'Report #1.pdf', content: 'not really a PDF' })
   * console.log(uri) // /storage/get/import/Report/…/Report #1.pdf
   * ```
   */
  attachFile(id: string, file: FileInput, options?: WriteOptions): FileEntry {
    const owner = this.#platform.get(id).object
    const entry = this.#files.put(owner, file, this.#clock.now())
    const before = (openCtiPropertiesOf(owner)['files'] ?? []) as readonly FileEntry[]
    const files = [...before.filter(({ uri }) => uri !== entry.uri), entry]
    this.update(id, { x_opencti_files: files }, options)
    return entry
  }

  /**
   * Deletes an object, and its relations without events. @returns its last state. @throws Error if there is
   * no such object.
   */
  delete(id: string, options?: WriteOptions): StixObject {
    return this.#platform.delete(id, options).object
  }

  /**
   * Merges objects into the target. @returns the merged object. @throws Error if an object does not exist,
   * there is no source, or the target is also a source.
   */
  merge(targetId: string, sourceIds: readonly string[], options?: WriteOptions): StixObject {
    return this.#platform.merge(targetId, sourceIds, options).object
  }

  /**
   * Loads a STIX bundle or objects into the knowledge base, as an import into the platform would.
   *
   * @param options.asEvents whether to also publish each object as a creation. Defaults to false: the objects
   *   predate the history and are only sent by a catch-up.
   */
  load(source: StixSource, options: { readonly asEvents?: boolean | undefined } = {}): LoadSummary {
    return importBundle(this.#platform, source, options.asEvents === true, this.#clock.now())
  }

  /** All objects in the knowledge base, in their current state. */
  entities(): StixObject[] {
    return [...this.#platform.knowledge.values()].map(({ object }) => object)
  }

  /** Finds an object by standard, former, foreign, or OpenCTI id. */
  entity(id: string): StixObject | undefined {
    return this.#platform.knowledge.find(id)?.object
  }

  /** All events still in the history, as published, oldest first. */
  get history(): PublishedEvent[] {
    return this.#platform.log
      .toArray()
      .map(({ idText, envelope }) => ({ id: idText, type: envelope.type, data: envelope.data, envelope }))
  }

  /** Id of the newest event. A stream opened `from` it sends what comes after. */
  get lastEventId(): string {
    return this.#platform.log.last?.idText ?? '0-0'
  }

  /** Stops a stream. Open connections end the next time they check it; new ones are answered 410. */
  stopStream(id: string = this.streamId): void {
    this.collections.get(id).live = false
  }

  /** Restarts a stopped stream. */
  startStream(id: string = this.streamId): void {
    this.collections.get(id).live = true
  }

  /** Registered connectors, with their registrations, pings, and states. */
  get connectors(): RegisteredConnector[] {
    return this.#registry.list()
  }

  /** One connector; undefined until it registers. */
  connector(id: string = this.connectorId): RegisteredConnector | undefined {
    return this.#registry.find(id)
  }

  /** Resets a connector's state, as the platform's button does. The next ping reports it once. */
  resetState(connectorId: string = this.connectorId): void {
    this.#registry.reset(connectorId, this.#clock.now())
  }

  /** Sets a connector's stored `connector_state`, even before it registers. */
  setState(connectorId: string, state: string | null): void {
    this.#registry.setState(connectorId, state, this.#clock.now())
  }

  /** Open streams, oldest first. */
  get connections(): LiveConnection[] {
    return [...this.#http.connections]
  }

  /**
   * The newest client requests, oldest first: streams, GraphQL, and files, with their queries and headers.
   */
  get requests(): readonly SimulatedRequest[] {
    return this.#requests.entries
  }

  /** Calls `listener` for each answered request. @returns a function that unsubscribes. */
  onRequest(listener: (request: SimulatedRequest) => void): () => void {
    return this.#requests.onAnswer(listener)
  }

  /** Resolves with an open stream, immediately if there is one. @throws the reason of `signal`. */
  waitForConnection(signal?: AbortSignal): Promise<LiveConnection> {
    return this.#requests.waitFor(() => this.connections[0], signal)
  }

  /** Resolves when no stream is open. @throws the reason of `signal`. */
  async waitForDisconnection(signal?: AbortSignal): Promise<void> {
    await this.#requests.waitFor(() => this.connections.length === 0 || undefined, signal)
  }

  /**
   * Resolves with the first matching request, past or future.
   *
   * @throws the reason of `signal`.
   *
   * @example
   * ```ts
   * import { Simulator } from 'opencti-stream-connector/testing'
   *
   * await using simulator = await Simulator.start()
   * const ping = simulator.waitForRequest((request) => request.kind === 'graphql' && request.operation === 'pingConnector')
   * ```
   */
  waitForRequest(
    matches: (request: SimulatedRequest) => boolean,
    signal?: AbortSignal,
  ): Promise<SimulatedRequest> {
    return this.#requests.waitFor(() => this.#requests.entries.find(matches), signal)
  }

  /** Ends every connection and stops listening. Idempotent. */
  async close(): Promise<void> {
    this.#requests.close()
    await this.#http.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
