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

/** What every look-up can be given. */
export interface LookupOptions {
  /** Gives up this look-up alone, not the same one of somebody else; `context.signal` is meant for it. */
  readonly signal?: AbortSignal | undefined
}

/** How many look-ups are under way side by side. */
const maxSideBySide = 8

/** How long one question may take, in milliseconds. */
const timeoutMs = 30_000

/** How long a file may take, in milliseconds. */
const fileTimeoutMs = 300_000

const defaultMaxBytes = 33_554_432
const defaultMaxObjects = 10_000

/** Ids of the platform have 36 characters, those of STIX a type before that. */
const maxIdLength = 256

const ttlMs = 600_000
const absentTtlMs = 60_000

/**
 * Questions to the OpenCTI platform about what the live stream does not carry. Ask them in `transform` or in a hook:
 *
 * - Answers are kept: those about markings and authors for 10 minutes (that there is none, for 1 minute), or until the
 *   stream brings a newer state. What is being asked already is not asked twice. Authors that are asked for at the same
 *   time go into one query. All markings come with one.
 * - At most 8 questions are under way at a time, and pings do not wait behind them.
 * - While the platform does not answer, or does not take the token, events that need an answer wait for it, however long
 *   that takes: none becomes a dead letter, and it does not count as an outage of the target.
 * - They go the way that all requests to the platform go: same token, headers, proxy and certificates.
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

  /** @internal Why the platform does not answer look-ups; undefined when it does, as far as is known. */
  get problem(): PlatformError | undefined {
    return this.#gate.problem
  }

  /**
   * What a marking is called, of whatever family. The stream carries ids alone; only the five of the Traffic Light
   * Protocol are the same everywhere (`tlpOf`).
   *
   * @param id the STIX id, as in `object_marking_refs`, or OpenCTI's own.
   * @returns undefined when the platform has no such marking, or none that the token's user may see.
   * @throws PlatformError when there is no answer. Let it through: the event then waits.
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
   * Who wrote an entity.
   *
   * @param entity the entity, or the id of the author itself.
   * @returns undefined when there is none, or none that the token's user may see.
   * @throws PlatformError when there is no answer. Let it through: the event then waits.
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
   * Everything that a container (a report, a grouping, a case, a note …) holds, with names and types. `object_refs` on the
   * stream has ids only. Kept for one minute; asked for an entity that has changed since, it is asked anew.
   *
   * @param container the container, or its id.
   * @param options.maxObjects the most that is taken in. Default: 10 000.
   * @returns nothing for a container that is not there.
   * @throws StreamConnectorError `LOOKUP_TOO_LARGE` when it holds more; the event becomes a dead letter unless you catch it.
   * @throws PlatformError when there is no answer. Let it through: the event then waits.
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
   * The content of a file that hangs on an entity. It is not kept; do not change it, others may have asked for the same.
   *
   * @param file one of the entity's `files`, or its `uri`.
   * @param options.maxBytes the most that is taken in, in bytes. Default: 33 554 432 (32 MiB).
   * @throws StreamConnectorError `LOOKUP_TOO_LARGE` when it has more; the event becomes a dead letter unless you catch it.
   * @throws PermanentError when it is no file of the platform.
   * @throws PlatformError when there is no answer (let it through: the event then waits), or the platform does not hand
   *   out the file (`PLATFORM_ERROR`).
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
   * Any other question to the platform's GraphQL API, for what has no method here. It is asked once and not kept. Its
   * errors are treated like those of the other look-ups. The platform takes the same query field no more than twice in one
   * document, the same mutation once, whatever their aliases: ask for many objects with a list and a filter of `ids`.
   *
   * @param options.schema what `data` must look like; without it, it is handed on as it came.
   * @throws PlatformError when there is no answer, or the platform answers with an error.
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
    // Without a schema, T is the default.
    const shape = schema ?? (z.record(z.string(), z.unknown()) as unknown as z.ZodType<T>)
    return this.#questions.graphql('ask this', { query, variables, schema: shape, signal })
  }

  /**
   * @internal The stream brought an identity or a marking. What is known of it stays when that says the same: in a
   * catch-up, and as dependencies, they come again and again.
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

export interface PlatformLookupsOptions {
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  /** Address of the platform with its base path. */
  readonly url: string
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
  /** Aborted when what is in flight is given up. */
  readonly stopped?: AbortSignal | undefined
  readonly onHealth?: ((problem: PlatformError | undefined) => void) | undefined
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= maxIdLength
}
