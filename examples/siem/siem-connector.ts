import {
  type ConnectorDefaults,
  type Entity,
  type EventContext,
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
import { SiemClient, type SiemEntry } from './siem-client.ts'

const settings = defineSettings({
  my_connector: z.object({ api_base_url: z.url(), api_key: secret() }),
})

/** Keeps a SIEM in step with a live stream: the complete example of the specification of stream connectors. */
export class SiemConnector extends StreamConnector<typeof settings, SiemEntry> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'My SIEM',
    filter: { types: ['indicator', 'ipv4-addr', 'ipv6-addr', 'domain-name', 'url', 'file'] },
  } satisfies ConnectorDefaults
  readonly #siem = new SiemClient(this.settings.my_connector)

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
    await this.#siem.check(signal)
  }
  override async find(entity: Entity, { signal }: EventContext) {
    return this.#siem.find(entityKeyOf(entity), signal)
  }
  override async create(entry: SiemEntry, { signal }: EventContext) {
    return this.#siem.create(entry, signal)
  }
  override async update(entry: SiemEntry, { externalId, signal }: EventContext) {
    await this.#siem.update(externalId!, entry, signal)
  }
  override async delete({ externalId, signal }: EventContext) {
    await this.#siem.delete(externalId!, signal)
  }
}
