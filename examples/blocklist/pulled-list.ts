import {
  type ConnectorList,
  type Entity,
  type NoSettings,
  StreamConnector,
  type ValueItem,
  itemsOf,
} from 'opencti-stream-connector'

/** Writes the addresses to a file and serves it to firewalls at `/lists/addresses`. */
export class PulledListConnector extends StreamConnector<NoSettings, ValueItem> {
  static override readonly lists: Record<string, ConnectorList> = { addresses: { format: 'plain' } }
  transform = (entity: Entity) => itemsOf(entity).items.filter(({ kind }) => kind.startsWith('ipv'))
}
