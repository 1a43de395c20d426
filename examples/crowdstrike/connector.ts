import {
  StreamConnector,
  defineSettings,
  descriptionOf,
  itemsOf,
  labelsOf,
  nameOf,
  severityOf,
  targetSettings,
  validUntilOf,
  z,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type ItemKind,
  type KeyedItem,
} from 'opencti-stream-connector'

const settings = defineSettings({
  crowdstrike: targetSettings('oauth2').extend({
    action: z.enum(['detect', 'no_action']).default('detect'),
    platforms: z.array(z.enum(['windows', 'mac', 'linux'])).default(['windows', 'mac', 'linux']),
  }),
})

/** One of Falcon's indicators of compromise: it has one for each type and value. */
export interface Ioc extends KeyedItem {
  readonly type: string
  readonly value: string
  readonly [field: string]: unknown
}

/** What Falcon calls the kinds of values that it takes. */
const types: Partial<Record<ItemKind, string>> = {
  'ipv4-addr': 'ipv4',
  'ipv6-addr': 'ipv6',
  'domain-name': 'domain',
  'sha-256': 'sha256',
  md5: 'md5',
}

/** What tells the connector's entries from others. */
const source = 'OpenCTI'
const entities = 'iocs/entities/indicators/v1'
const severities = { 0: 'informational', 20: 'low', 40: 'medium', 60: 'high', 80: 'critical' } as const

/** Keeps Falcon's indicators of compromise in step with the indicators of a live stream. */
export class CrowdstrikeConnector extends StreamConnector<typeof settings, Ioc> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'CrowdStrike',
    filter: { types: ['indicator'] },
    on: { expired: 'delete', expiryTimer: true },
    // What has our source is ours.
    reconcile: { everyMs: 24 * 3_600_000, orphans: 'delete' },
  } satisfies ConnectorDefaults
  readonly #falcon = this.targetHttp(this.settings.crowdstrike)

  transform(entity: Entity): Ioc[] {
    const { action, platforms } = this.settings.crowdstrike
    return itemsOf(entity).items.flatMap(({ kind, value }) => {
      const type = types[kind]
      if (type === undefined) return []
      const facts = {
        action,
        platforms,
        severity: severityOf(entity, severities) ?? 'medium',
        source,
        description: descriptionOf(entity) ?? nameOf(entity),
        tags: labelsOf(entity),
        expiration: expirationOf(entity),
        applied_globally: true,
      }
      return [{ key: keyOf({ type, value }), type, value, ...facts }]
    })
  }
  override async check(signal: AbortSignal): Promise<void> {
    await this.#falcon.get('iocs/queries/indicators/v1', { searchParams: { limit: 1 }, signal })
  }
  override async find(_: Entity, { key: filter }: EventContext): Promise<string | undefined> {
    const found = this.#falcon.get('iocs/queries/indicators/v1', { searchParams: { filter } })
    return (await found.json<{ resources: string[] }>()).resources[0]
  }
  override async create({ key: _, ...ioc }: Ioc): Promise<string> {
    const created = this.#falcon.post(entities, { json: { indicators: [ioc] } })
    return (await created.json<{ resources: [{ id: string }] }>()).resources[0].id
  }
  override async update(ioc: Ioc, { externalId: id }: EventContext): Promise<void> {
    const { key: _, type: __, value: ___, ...changes } = ioc
    await this.#falcon.patch(entities, { json: { indicators: [{ id, ...changes }] } })
  }
  override async delete({ externalId }: EventContext): Promise<void> {
    await this.#falcon.delete(entities, { searchParams: { ids: externalId } })
  }
  override async *list(signal: AbortSignal) {
    let after: string | undefined
    do {
      const searchParams = { filter: `source:'${source}'`, limit: 2000, ...(after && { after }) }
      const page = await this.#falcon.get('iocs/combined/indicator/v1', { searchParams, signal }).json<Page>()
      for (const ioc of page.resources) yield { key: keyOf(ioc), externalId: ioc.id, isOurs: true }
      after = page.meta.pagination.after
    } while (after)
  }
}

interface Page {
  readonly resources: readonly { readonly id: string; readonly type: string; readonly value: string }[]
  readonly meta: { readonly pagination: { readonly after?: string } }
}

/** The filter that finds it. */
const keyOf = ({ type, value }: Pick<Ioc, 'type' | 'value'>) => `type:'${type}'+value:'${value}'`

/** The connector withdraws an indicator when it expires; Falcon does it a day later, if the connector is away then. */
function expirationOf(entity: Entity): string | undefined {
  const validUntil = validUntilOf(entity)
  return validUntil && new Date(Date.parse(validUntil) + 86_400_000).toISOString()
}
