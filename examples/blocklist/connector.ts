import {
  StreamConnector,
  itemsOf,
  type ConnectorDefaults,
  type ConnectorList,
  type Entity,
  type ItemKind,
  type NoSettings,
  type ValueItem,
} from 'opencti-stream-connector'

const list = (wanted: ItemKind): ConnectorList => ({
  format: 'plain',
  only: ({ key }) => key.startsWith(`${wanted}:`),
})

/** Serves lists of what indicators name, for firewalls that fetch them: `/lists/ipv4`, `/lists/ipv6`, `/lists/domains`. */
export class BlocklistConnector extends StreamConnector<NoSettings, ValueItem> {
  static override readonly defaults = {
    name: 'Block list',
    scope: ['indicator'],
    filter: { types: ['indicator'], minScore: 50, maxTlp: 'TLP:AMBER' },
    on: { expired: 'delete', expiryTimer: true },
  } satisfies ConnectorDefaults
  static override readonly lists = {
    ipv4: list('ipv4-addr'),
    ipv6: list('ipv6-addr'),
    domains: list('domain-name'),
  }

  transform = (entity: Entity): ValueItem[] => [...itemsOf(entity).items]
}
