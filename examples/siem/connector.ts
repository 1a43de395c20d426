import {
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type GenericDocument,
  StreamConnector,
  confidenceOf,
  defineSettings,
  entityKeyOf,
  labelsOf,
  nameOf,
  secret,
  tlpOf,
  toGeneric,
  z,
} from 'opencti-stream-connector'

const settings = defineSettings({ my_connector: z.object({ api_base_url: z.url(), api_key: secret() }) })

/** What the SIEM keeps of an entity. */
export interface SiemEntry extends GenericDocument {
  /** OpenCTI's own id of the entity, which survives renames. */
  readonly opencti_id: string
  readonly pattern?: string | null
  readonly confidence?: number
  readonly tlp?: string
  readonly labels?: readonly string[]
}

/** Keeps a SIEM in step with a live stream: the complete example of the specification of stream connectors. */
export class SiemConnector extends StreamConnector<typeof settings, SiemEntry> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'My SIEM',
    filter: { types: ['indicator', 'ipv4-addr', 'ipv6-addr', 'domain-name', 'url', 'file'] },
  } satisfies ConnectorDefaults
  readonly #siem = this.targetHttp({
    url: this.settings.my_connector.api_base_url,
    token: this.settings.my_connector.api_key,
  })

  transform(entity: Entity): SiemEntry {
    return {
      ...toGeneric(entity),
      opencti_id: entityKeyOf(entity),
      name: nameOf(entity),
      pattern: entity.type === 'indicator' ? entity.pattern : null,
      confidence: confidenceOf(entity) ?? 50,
      tlp: tlpOf(entity),
      labels: labelsOf(entity),
    }
  }
  override async check(signal: AbortSignal) {
    await this.#siem.get('health', { signal })
  }
  override async find(entity: Entity) {
    const searchParams = { opencti_id: entityKeyOf(entity) }
    const [known] = await this.#siem.get('indicators', { searchParams }).json<{ id: string }[]>()
    return known?.id
  }
  override async create(entry: SiemEntry) {
    const { id } = await this.#siem.post('indicators', { json: entry }).json<{ id: string }>()
    return id
  }
  override async update(entry: SiemEntry, { externalId }: EventContext) {
    await this.#siem.put(`indicators/${externalId}`, { json: entry })
  }
  override async delete({ externalId }: EventContext) {
    await this.#siem.delete(`indicators/${externalId}`)
  }
}
