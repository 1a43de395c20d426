import {
  type ConnectorDefaults,
  type Entity,
  type SnapshotContext,
  StreamConnector,
  type ValueItem,
  defineSettings,
  itemsOf,
  listBody,
  targetSettings,
} from 'opencti-stream-connector'

const settings = defineSettings({ firewall: targetSettings('token') })

/** Uploads the whole list to a firewall that takes nothing less. */
class SnapshotConnector extends StreamConnector<typeof settings, ValueItem> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Block list snapshot',
    snapshot: { minIntervalMs: 10_000 },
  } satisfies ConnectorDefaults
  readonly #firewall = this.targetHttp(this.settings.firewall)

  transform(entity: Entity): ValueItem[] {
    return itemsOf(entity).items.filter(({ kind }) => kind.startsWith('ipv'))
  }

  override async replaceAll(items: AsyncIterable<ValueItem>, { signal }: SnapshotContext) {
    const body = listBody(items, { format: 'plain' })
    await this.#firewall.put('blocked', { body, duplex: 'half', signal })
  }
}

await SnapshotConnector.run()
