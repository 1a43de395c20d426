import { type KyInstance } from 'ky'
import { z } from 'zod'
import { type PlatformError } from '../errors/platform-error.ts'
import { type AttachedFile } from '../stix/types/entity-base.ts'
import { entityKeyOf, octiIdOf } from '../stix/read/entity-ids.ts'
import { updatedAtOf } from '../stix/read/entity-life.ts'
import { nameOf } from '../stix/read/entity-name.ts'
import { createdByOf } from '../stix/read/entity-text.ts'
import { type Entity } from '../stix/types/entity.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { AuthorTurn } from './author-turn.ts'
import { fileAddress } from './file-address.ts'
import { GraphqlClient } from '../opencti/graphql.ts'
import { inlineFile } from './inline-file.ts'
import { type AuthorInfo, type ContainedObject, type MarkingInfo } from './lookup-answers.ts'
import { LookupCache } from './lookup-cache.ts'
import { LookupGate } from './lookup-gate.ts'
import { LookupQuestions } from './lookup-questions.ts'
import { readFile } from './read-file.ts'
import { SharedFlights } from './shared-flights.ts'

/** Maximum number of parallel lookups. */
const maxSideBySide = 8

/** Timeout of a query, in milliseconds. */
const timeoutMs = 30_000

/** Timeout of a file download, in milliseconds. */
const fileTimeoutMs = 300_000

const defaultMaxBytes = 33_554_432
const defaultMaxObjects = 10_000

/** OpenCTI ids have 36 characters; STIX ids add a type. */
const maxIdLength = 256

const ttlMs = 600_000
const absentTtlMs = 60_000

/**
 * Looks up platform data that the live stream does not carry. Use it in `transform` or in a hook:
 *
 * - Markings and authors are cached for 10 minutes ("not found" for 1 minute), or until the stream brings a
 *   newer state. Concurrent requests for the same answer share one query. Authors requested together are
 *   batched. One query loads all markings.
 * - At most 8 queries run in parallel, and pings do not queue behind them.
 * - While the platform is down or rejects the token, events that need an answer wait, however long it takes.
 *   None becomes a dead letter, and it does not count as an outage of the target.
 * - Lookups use the token, headers, proxy, and certificates of all platform requests.
 *
 * The token's user needs the capability "Access knowledge" (`KNOWLEDGE`).
 *
 * @example
 * ```ts
 * import { markingsOf, nameOf, StreamConnector, type Entity, type EventContext, type NoSettings } from 'opencti-stream-connector'
 *
 * class Notifier extends StreamConnector<NoSettings, { text: string }> {
 *   async transform(entity: Entity, { signal }: EventContext) {
 *     const author = await this.platform.authorOf(entity, { signal })
 *     const markings = await Promise.all(markingsOf(entity).ids.map((id) => this.platform.markingOf(id, { signal })))
 *     const names = markings.map((marking) => marking?.name ?? 'unknown')
 *     return { text: `${nameOf(entity)} by ${author?.name ?? 'nobody'} (${names.join(', ')})` }
 *   }
 *   override async create(item: { text: string }) {
 *     await this.http.post('https://chat.example.org/messages', { json: item })
 *   }
 * }
 *
 * export { Notifier }
 * ```
 */
export class PlatformLookups {
  readonly #options: PlatformLookupsOptions
  readonly #clock: Clock
  readonly #gate: LookupGate
  readonly #questions: LookupQuestions
  readonly #markings: LookupCache<MarkingInfo>
  readonly #authors: LookupCache<AuthorInfo>
  readonly #objects: LookupCache<readonly ContainedObject[]>
  readonly #markingFlights = new SharedFlights<ReadonlyMap<string, MarkingInfo>>()
  readonly #authorFlights = new SharedFlights<AuthorInfo | undefined>()
  readonly #objectFlights = new SharedFlights<readonly ContainedObject[]>()
  readonly #fileFlights = new SharedFlights<Uint8Array>()
  readonly #authorTurn: AuthorTurn

  /** @hidden */
  constructor(options: PlatformLookupsOptions) {
    const { http, url, clock = systemClock } = options
    this.#options = options
    this.#clock = clock
    this.#gate = new LookupGate({ clock, maxSideBySide, onHealth: options.onHealth })
    const graphql = new GraphqlClient({ http, url, clock, timeoutMs })
    this.#questions = new LookupQuestions({ graphql, gate: this.#gate, stopped: options.stopped })
    this.#markings = new LookupCache({ maxWeight: 10_000, ttlMs, absentTtlMs }, clock)
    this.#authors = new LookupCache({ maxWeight: 10_000, ttlMs, absentTtlMs }, clock)
    const objectBounds = { maxWeight: 50_000, ttlMs: absentTtlMs, absentTtlMs }
    this.#objects = new LookupCache(objectBounds, clock, (objects) => Math.max(1, objects.length))
    this.#authorTurn = new AuthorTurn((ids, signal) => this.#questions.authors(ids, signal))
  }

  /** @internal Why the platform does not answer lookups; undefined if it does, as far as known. */
  get problem(): PlatformError | undefined {
    return this.#gate.problem
  }

  /**
   * Looks up a marking of any family. The stream only carries ids, and only the five TLP markings have the
   * same ids everywhere (`tlpOf`).
   *
   * @param id STIX id, as in `object_marking_refs`, or OpenCTI id.
   * @returns undefined if the platform has no such marking or the token's user may not see it.
   * @throws PlatformError if there is no answer. Do not catch it: the event then waits.
   */
  async markingOf(id: string, options: LookupOptions = {}): Promise<MarkingInfo | undefined> {
    if (!isId(id)) return undefined
    const known = this.#markings.get(id)
    if (known !== undefined) return known.value
    const { epoch } = this.#markings
    const load = async (signal: AbortSignal) => {
      const all = await this.#questions.markings(signal)
      for (const [each, marking] of all) this.#markings.set(each, marking, epoch)
      return all
    }
    const marking = (await this.#markingFlights.join('', load, options.signal)).get(id)
    if (marking === undefined) this.#markings.set(id, undefined, epoch)
    return marking
  }

  /**
   * Looks up the author of an entity.
   *
   * @param entity the entity, or the author's id.
   * @returns undefined if there is no author or the token's user may not see it.
   * @throws PlatformError if there is no answer. Do not catch it: the event then waits.
   */
  async authorOf(entity: Entity | string, options: LookupOptions = {}): Promise<AuthorInfo | undefined> {
    const id = typeof entity === 'string' ? entity : createdByOf(entity)
    if (!isId(id)) return undefined
    const known = this.#authors.get(id)
    if (known !== undefined) return known.value
    const load = async (signal: AbortSignal) => {
      const { epoch } = this.#authors
      const author = await this.#authorTurn.load(id, signal)
      this.#authors.set(id, author, epoch)
      return author
    }
    return this.#authorFlights.join(id, load, options.signal)
  }

  /**
   * Lists the contents of a container (report, grouping, case, note, …) with names and types; `object_refs`
   * in the stream only has ids. Cached for one minute, or until the container changes.
   *
   * @param container the container, or its id.
   * @param options.maxObjects maximum number of objects. Defaults to 10,000.
   * @returns an empty list if the container does not exist.
   * @throws StreamConnectorError `LOOKUP_TOO_LARGE` if it has more objects; the event becomes a dead letter
   *   unless you catch it.
   * @throws PlatformError if there is no answer. Do not catch it: the event then waits.
   */
  async objectsOf(
    container: Entity | string,
    options: LookupOptions & { readonly maxObjects?: number | undefined } = {},
  ): Promise<readonly ContainedObject[]> {
    const { maxObjects = defaultMaxObjects, signal } = options
    const id = typeof container === 'string' ? container : entityKeyOf(container)
    if (!isId(id)) return []
    const version = typeof container === 'string' ? '' : (updatedAtOf(container) ?? '')
    const key = `${id} ${version}`
    const known = this.#objects.get(key)?.value
    if (known !== undefined && known.length <= maxObjects) return known
    const load = async (flight: AbortSignal) => {
      const { epoch } = this.#objects
      const objects = await this.#questions.objects(id, maxObjects, flight)
      this.#objects.set(key, objects, epoch)
      return objects
    }
    return this.#objectFlights.join(`${maxObjects} ${key}`, load, signal)
  }

  /**
   * Downloads a file attached to an entity. Not cached. Do not modify the result: concurrent callers share
   * it.
   *
   * @param file one of the entity's `files`, or its `uri`.
   * @param options.maxBytes maximum size, in bytes. Defaults to 33,554,432 (32 MiB).
   * @throws StreamConnectorError `LOOKUP_TOO_LARGE` if the file is larger; the event becomes a dead letter
   *   unless you catch it.
   * @throws PermanentError if it is not a platform file.
   * @throws PlatformError if there is no answer (do not catch it: the event then waits), or if the platform
   *   does not serve the file (`PLATFORM_ERROR`).
   *
   * @example
   * ```ts
   * import { extensionOf, openCtiExtension, type AttachedFile, type Entity, type PlatformLookups } from 'opencti-stream-connector'
   *
   * async function attachments(entity: Entity, platform: PlatformLookups): Promise<Uint8Array[]> {
   *   const files = (extensionOf(entity, openCtiExtension)?.['files'] ?? []) as AttachedFile[]
   *   return Promise.all(files.map((file) => platform.file(file, { maxBytes: 5_000_000 })))
   * }
   *
   * export { attachments }
   * ```
   */
  async file(
    file: AttachedFile | string,
    options: LookupOptions & { readonly maxBytes?: number | undefined } = {},
  ): Promise<Uint8Array> {
    const { maxBytes = defaultMaxBytes, signal } = options
    if (typeof file !== 'string' && typeof file.data === 'string') return inlineFile(file.data, maxBytes)
    const uri = typeof file === 'string' ? file : (file.uri ?? '')
    const address = fileAddress(this.#options.url, uri)
    const { http } = this.#options
    const load = (flight: AbortSignal) =>
      this.#questions.ask('read files', flight, (both) =>
        readFile({ http, clock: this.#clock, address, maxBytes, timeoutMs: fileTimeoutMs, signal: both }),
      )
    return this.#fileFlights.join(`${maxBytes} ${address}`, load, signal)
  }

  /**
   * Sends any other query to the platform's GraphQL API. Not cached or shared; errors work as for other
   * lookups. The platform accepts the same query field at most twice per document, and the same mutation
   * once, regardless of aliases: to fetch many objects, use a list with an `ids` filter.
   *
   * @param options.schema validates `data`; without it, `data` is returned as is.
   * @throws PlatformError if there is no answer, or the platform answers with an error.
   *
   * @example
   * ```ts
   * import { z, type PlatformLookups } from 'opencti-stream-connector'
   *
   * const answer = z.object({ label: z.object({ color: z.string() }).nullable() })
   * const query = 'query ($id: String!) { label(id: $id) { color } }'
   *
   * async function colorOf(id: string, platform: PlatformLookups): Promise<string | undefined> {
   *   const { label } = await platform.graphql(query, { variables: { id }, schema: answer })
   *   return label?.color
   * }
   *
   * export { colorOf }
   * ```
   */
  graphql<T = Readonly<Record<string, unknown>>>(
    query: string,
    options: LookupOptions & {
      readonly variables?: Readonly<Record<string, unknown>> | undefined
      readonly schema?: z.ZodType<T> | undefined
    } = {},
  ): Promise<T> {
    const { variables, schema, signal } = options
    // Without a schema, T has its default.
    const shape = schema ?? (z.record(z.string(), z.unknown()) as unknown as z.ZodType<T>)
    return this.#questions.graphql('run this query', { query, variables, schema: shape, signal })
  }

  /**
   * @internal The stream brought an identity or a marking. The cache keeps what it has if that agrees,
   *   because catch-ups and dependencies repeat the same objects over and over.
   */
  note(entity: Entity, how: { readonly isGone: boolean; readonly isDependency: boolean }): void {
    const name = nameOf(entity)
    for (const id of [entity.id, octiIdOf(entity)]) {
      if (id === undefined) continue
      const known = entity.type === 'identity' ? this.#authors.get(id) : this.#markings.get(id)
      const isSame = known === undefined ? how.isDependency : known.value?.name === name
      if (isSame && !how.isGone) continue
      if (entity.type === 'identity') {
        this.#authors.forget(id)
        this.#authorFlights.renew(id)
      } else {
        this.#markings.forget(id)
        this.#markingFlights.renew('')
      }
    }
  }
}

/** Options of every lookup. */
export interface LookupOptions {
  /** Cancels this lookup, but not the same lookup of another caller. Pass `context.signal`. */
  readonly signal?: AbortSignal | undefined
}

export interface PlatformLookupsOptions {
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  /** Base URL of the platform. */
  readonly url: string
  /** @default systemClock */
  readonly clock?: Clock | undefined
  /** Aborted when work in flight is abandoned. */
  readonly stopped?: AbortSignal | undefined
  readonly onHealth?: ((problem: PlatformError | undefined) => void) | undefined
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= maxIdLength
}
