import {
  PermanentError,
  StreamConnector,
  confidenceOf,
  createdAtOf,
  defineSettings,
  descriptionOf,
  entityKeyOf,
  isRevoked,
  itemsOf,
  labelsOf,
  nameOf,
  observablesOf,
  parsePosition,
  scoreOf,
  targetSettings,
  tlpOf,
  updatedAtOf,
  validUntilOf,
  z,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type FlushOperation,
  type FlushResult,
} from 'opencti-stream-connector'

const settings = defineSettings({
  opensearch: targetSettings('basic')
    .partial({ username: true, password: true })
    .extend({
      index: z.string().default('opencti-indicators').describe('Index or alias to write to.'),
      create_template: z
        .boolean()
        .default(true)
        .describe('Create the index template, so that OpenSearch creates the index with the right mapping.'),
    }),
})

/** The field of ECS for each kind of value (https://www.elastic.co/docs/reference/ecs/ecs-threat). */
const fields: Readonly<Record<string, string>> = {
  'ipv4-addr': 'ip',
  'ipv6-addr': 'ip',
  'domain-name': 'domain',
  url: 'url.full',
  'email-addr': 'email.address',
  'autonomous-system': 'as.number',
  'windows-registry-key': 'registry.path',
  file: 'file.name',
  md5: 'file.hash.md5',
  'sha-1': 'file.hash.sha1',
  'sha-256': 'file.hash.sha256',
  'sha-384': 'file.hash.sha384',
  'sha-512': 'file.hash.sha512',
  ssdeep: 'file.hash.ssdeep',
  tlsh: 'file.hash.tlsh',
}

/** Longest value that Lucene indexes, in bytes of UTF-8. OpenSearch refuses a document with a longer one. */
const maxValueBytes = 32_766

/** Keeps an index of threat indicators, in the Elastic Common Schema, in step with a live stream. */
export class OpenSearchConnector extends StreamConnector<typeof settings, ThreatDocument> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'OpenSearch',
    filter: { types: ['indicator'] },
    batch: { maxItems: 500, maxBytes: 5_000_000, maxWaitMs: 1000 },
  } satisfies ConnectorDefaults
  readonly #opensearch = this.targetHttp(this.settings.opensearch)

  override async check(signal: AbortSignal): Promise<void> {
    const { index, create_template: isOurs } = this.settings.opensearch
    if (isOurs) await this.#opensearch.put(`_index_template/${index}`, { json: templateOf(index), signal })
    const searchParams = { fields: 'threat.indicator.ip', ignore_unavailable: true, allow_no_indices: true }
    const answer = this.#opensearch.get(`${index}/_field_caps`, { searchParams, signal })
    const { indices, fields } = await answer.json<{ indices: string[]; fields: Record<string, object> }>()
    if (indices.length === 0 && !isOurs)
      throw new Error(
        `OpenSearch has no index ${index}. Create it, or set OPENSEARCH_CREATE_TEMPLATE=true (opensearch.create_template).`,
      )
    const types = Object.keys(fields['threat.indicator.ip'] ?? { nothing: {} }).join(' and ')
    if (indices.length > 0 && types !== 'ip')
      throw new Error(
        `The index ${index} maps threat.indicator.ip as ${types}, not as ip. Reindex it with the mapping of the template ${index}, or name another index in OPENSEARCH_INDEX (opensearch.index).`,
      )
  }

  async transform(entity: Entity, { signal }: EventContext): Promise<ThreatDocument | undefined> {
    if (itemsOf(entity).items.length === 0) return undefined // a YARA rule, or nothing that one value can say
    const author = await this.platform.authorOf(entity, { signal })
    return documentOf(entity, author?.name, this.settings.opencti.url)
  }

  override async flush(operations: readonly Operation[]): Promise<FlushResult[]> {
    const writes = operations.map((operation) => ({ operation, condition: versionOf(operation.context) }))
    const answers = await this.#bulk(writes)
    const rewrites = await this.#rewrites(operations.filter((_, index) => answers[index]!.status === 409))
    const rewritten = await this.#bulk(rewrites)
    const second = new Map(rewrites.map(({ operation }, index) => [operation, rewritten[index]!]))
    return operations.map((operation, index) => {
      const answer = second.get(operation)
      return answer?.status === 409 ? 'retry' : resultOf(answer ?? answers[index]!)
    })
  }

  /** One answer for each write (https://docs.opensearch.org/2.19/api-reference/document-apis/bulk/). */
  async #bulk(writes: readonly Write[]): Promise<Answer[]> {
    if (writes.length === 0) return []
    const lines = writes.flatMap(({ operation: { kind, item, context }, condition }): unknown[] => {
      const action = { _id: entityKeyOf(context.entity), ...condition }
      return kind === 'delete' ? [{ delete: action }] : [{ index: action }, item]
    })
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    const headers = { 'content-type': 'application/x-ndjson' }
    const answer = this.#opensearch.post(`${this.settings.opensearch.index}/_bulk`, { body, headers })
    const { items } = await answer.json<{ items: Record<string, Answer>[] }>()
    return items.map((each) => Object.values(each)[0]!)
  }

  /**
   * What to write once more of operations in conflict with a greater version: what is as new all the same. Versions are times of
   * the stream; a catch-up tells times of entities, which another clock made. So the times of the entities decide.
   */
  async #rewrites(operations: readonly Operation[]): Promise<Write[]> {
    if (operations.length === 0) return []
    const json = { ids: operations.map(({ context }) => entityKeyOf(context.entity)) }
    const path = `${this.settings.opensearch.index}/_mget?_source=opencti.updated_at`
    const { docs } = await this.#opensearch.post(path, { json }).json<{ docs: Stored[] }>()
    return operations.flatMap((operation, index) => {
      const { _source, _seq_no, _primary_term } = docs[index]!
      // Deleted by a later event, unless this is what the platform has now: a catch-up sends no events.
      if (_seq_no === undefined && operation.context.envelope.type !== undefined) return []
      const stored = Date.parse(_source?.opencti?.updated_at ?? '')
      if (stored > Date.parse(updatedAtOf(operation.context.entity) ?? '')) return []
      // Only if nobody else has written it since.
      const condition = _seq_no === undefined ? {} : { if_seq_no: _seq_no, if_primary_term: _primary_term }
      return [{ operation, condition }]
    })
  }
}

type Operation = FlushOperation<ThreatDocument>
type ThreatDocument = ReturnType<typeof documentOf>

interface Answer {
  readonly status: number
  readonly error?: {
    readonly type: string
    readonly reason: string
    readonly caused_by?: { reason?: string }
  }
}

interface Write {
  readonly operation: Operation
  readonly condition: object
}

interface Stored {
  readonly _seq_no?: number
  readonly _primary_term?: number
  readonly _source?: { readonly opencti?: { readonly updated_at?: string } }
}

/** Orders what is written to a document, also by requests that were given up and arrive late. */
function versionOf({ position }: EventContext): object {
  const at = parsePosition(position ?? '')
  // The greatest number that is exact allows a thousand events in each millisecond.
  return at === undefined
    ? {}
    : { version: at.ms * 1000 + Math.min(at.seq, 999), version_type: 'external_gte' }
}

function resultOf({ status, error }: Answer): FlushResult {
  // 409: something newer is there. 404 without an error: there was nothing to delete.
  if (status < 300 || status === 409 || (status === 404 && error === undefined)) return 'ok'
  const cause = error?.caused_by?.reason
  const reason = `${error?.type}: ${error?.reason}${cause === undefined ? '' : ` (${cause})`}`
  // Anything but 400 (overloaded, read-only, not allowed, no index) is not the document's fault.
  return { status: status === 400 ? 'reject' : 'retry', reason }
}

function documentOf(entity: Entity, provider: string | undefined, platform: string) {
  const id = entityKeyOf(entity)
  const { items } = itemsOf(entity)
  const updatedAt = isoOf(updatedAtOf(entity))
  return {
    '@timestamp': updatedAt,
    ecs: { version: '8.17.0' },
    event: {
      kind: 'enrichment',
      category: ['threat'],
      type: ['indicator'],
      module: 'opencti',
      dataset: 'opencti.indicator',
      risk_score: scoreOf(entity),
    },
    tags: labelsOf(entity),
    threat: {
      feed: { name: 'OpenCTI' },
      indicator: {
        ...valuesOf(entity),
        name: nameOf(entity),
        description: descriptionOf(entity),
        provider: provider ?? 'OpenCTI',
        reference: `${platform.replace(/\/$/, '')}/dashboard/id/${id}`,
        confidence: confidenceLevelOf(entity),
        marking: { tlp: tlpOf(entity).slice('TLP:'.length) },
        first_seen:
          isoOf(entity.type === 'indicator' ? entity.valid_from : undefined) ?? isoOf(createdAtOf(entity)),
        modified_at: updatedAt,
      },
    },
    opencti: {
      id,
      stix_id: entity.id,
      values: items.map(({ value }) => value),
      network: items.filter(({ kind, value }) => isRange(kind, value)).map(({ value }) => value),
      pattern: entity.type === 'indicator' ? entity.pattern : undefined,
      revoked: isRevoked(entity),
      valid_until: isoOf(validUntilOf(entity)),
      updated_at: updatedAt,
    },
  }
}

interface Node {
  [name: string]: Node | string[]
}

/** The values of an entity by ECS field, each in one spelling, so that a term query finds it. */
function valuesOf(entity: Entity): Node {
  const isCertificate = observablesOf(entity).observables.some(({ type }) => type === 'X509-Certificate')
  const values: Node = {}
  const types = new Set<string>()
  for (const { kind, value } of itemsOf(entity).items) {
    const bytes = Buffer.byteLength(value)
    if (bytes > maxValueBytes)
      throw new PermanentError(
        `The ${kind} has ${bytes} bytes. OpenSearch finds values of up to ${maxValueBytes} bytes.`,
      )
    const path = fields[kind]?.split('.') ?? []
    const isHash = path.includes('hash')
    types.add(isHash ? (isCertificate ? 'x509-certificate' : 'file') : kind)
    // A range is in opencti.network only, because the field of ECS holds single addresses.
    if (path.length > 0 && !(isHash && isCertificate) && !isRange(kind, value)) add(values, path, value)
  }
  return { ...values, type: [...types] }
}

const isRange = (kind: string, value: string) => kind.startsWith('ipv') && value.includes('/')

function add(values: Node, path: readonly string[], value: string): void {
  const [name = '', ...rest] = path
  if (rest.length === 0) (values[name] = (values[name] ?? []) as string[]).push(value)
  else add((values[name] = (values[name] ?? {}) as Node), rest, value)
}

/** ECS takes the levels of STIX 2.1, appendix A. */
function confidenceLevelOf(entity: Entity): string {
  const confidence = confidenceOf(entity)
  if (confidence === undefined) return 'Not Specified'
  if (confidence === 0) return 'None'
  return confidence < 30 ? 'Low' : confidence < 70 ? 'Medium' : 'High'
}

/** OpenSearch reads fewer spellings of a date than JavaScript. */
const isoOf = (date: string | undefined) => (date === undefined ? undefined : new Date(date).toISOString())

/** The mapping, for every index of this name that is created from now on. What it does not name is stored, not searched. */
function templateOf(index: string): object {
  const keyword = { type: 'keyword' }
  const short = { type: 'keyword', ignore_above: 1024 }
  const date = { type: 'date' }
  const ecs = [...new Set(Object.values(fields))].map((field) => [`threat.indicator.${field}`, keyword])
  return {
    index_patterns: [index],
    priority: 500,
    template: {
      // Deletes are remembered for as long as a request can be late.
      settings: { 'index.gc_deletes': '10m' },
      mappings: {
        dynamic: false,
        properties: {
          '@timestamp': date,
          'ecs.version': keyword,
          'event.kind': keyword,
          'event.category': keyword,
          'event.type': keyword,
          'event.module': keyword,
          'event.dataset': keyword,
          'event.risk_score': { type: 'float' },
          tags: short,
          'threat.feed.name': keyword,
          ...Object.fromEntries(ecs),
          'threat.indicator.ip': { type: 'ip' },
          'threat.indicator.as.number': { type: 'long' },
          'threat.indicator.type': keyword,
          'threat.indicator.name': short,
          'threat.indicator.description': { type: 'text' },
          'threat.indicator.provider': short,
          'threat.indicator.reference': short,
          'threat.indicator.confidence': keyword,
          'threat.indicator.marking.tlp': keyword,
          'threat.indicator.first_seen': date,
          'threat.indicator.modified_at': date,
          'opencti.id': keyword,
          'opencti.stix_id': keyword,
          'opencti.values': keyword,
          'opencti.network': { type: 'ip_range' },
          'opencti.revoked': { type: 'boolean' },
          'opencti.valid_until': date,
          'opencti.updated_at': date,
        },
      },
    },
  }
}
