import {
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type KeyedItem,
  StreamConnector,
  defineSettings,
  itemsOf,
  targetSettings,
} from 'opencti-stream-connector'

const settings = defineSettings({ firewall: targetSettings('token') })

/** Blocks and unblocks single addresses at a firewall. */
class BlockListConnector extends StreamConnector<typeof settings, KeyedItem> {
  static override readonly settings = settings
  static override readonly defaults = { name: 'Block list' } satisfies ConnectorDefaults
  readonly #firewall = this.targetHttp(this.settings.firewall)

  transform(entity: Entity): KeyedItem[] {
    const { items } = itemsOf(entity)
    return items.filter(({ kind }) => kind.startsWith('ipv')).map(({ value }) => ({ key: value }))
  }
  override create = async ({ key }: KeyedItem) =>
    void (await this.#firewall.put(`blocked/${encodeURIComponent(key)}`))
  override delete = async ({ key }: EventContext) =>
    void (await this.#firewall.delete(`blocked/${encodeURIComponent(key!)}`))
}

await BlockListConnector.run()
