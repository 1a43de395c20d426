import {
  StreamConnector,
  defineSettings,
  descriptionOf,
  labelsOf,
  nameOf,
  observablesOf,
  severityOf,
  targetSettings,
  validUntilOf,
  z,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type Observable,
} from 'opencti-stream-connector'

const settings = defineSettings({
  crowdstrike: targetSettings('oauth2').extend({
    action: z.enum(['detect', 'no_action']).default('detect'),
    platforms: z.array(z.enum(['windows', 'mac', 'linux'])).default(['windows', 'mac', 'linux']),
  }),
})

/** What tells an indicator of compromise from others. */
interface IocValue {
  readonly type: 'ipv4' | 'ipv6' | 'domain' | 'sha256' | 'md5'
  readonly value: string
}

/** What Falcon keeps of it. */
export interface Ioc extends IocValue {
  readonly [field: string]: unknown
}

const entities = 'iocs/entities/indicators/v1'
const severities = { 0: 'informational', 20: 'low', 40: 'medium', 60: 'high', 80: 'critical' } as const

/** Keeps Falcon's indicators of compromise in step with the indicators of a live stream. */
export class CrowdstrikeConnector extends StreamConnector<typeof settings, Ioc> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'CrowdStrike',
    filter: { types: ['indicator'] },
    on: { expired: 'delete', expiryTimer: true },
  } satisfies ConnectorDefaults
  readonly #falcon = this.targetHttp(this.settings.crowdstrike)

  transform(entity: Entity): Ioc | undefined {
    const { action, platforms } = this.settings.crowdstrike
    const ioc = iocValueOf(entity)
    if (ioc === undefined) return undefined
    return {
      ...ioc,
      action,
      platforms,
      severity: severityOf(entity, severities) ?? 'medium',
      source: 'OpenCTI',
      description: descriptionOf(entity) ?? nameOf(entity),
      tags: labelsOf(entity),
      expiration: expirationOf(entity),
      applied_globally: true,
    }
  }
  override async check(signal: AbortSignal): Promise<void> {
    await this.#falcon.get('iocs/queries/indicators/v1', { searchParams: { limit: 1 }, signal })
  }
  override async find(entity: Entity): Promise<string | undefined> {
    const ioc = iocValueOf(entity)
    if (ioc === undefined) return undefined
    const filter = `type:'${ioc.type}'+value:'${ioc.value}'`
    const found = this.#falcon.get('iocs/queries/indicators/v1', { searchParams: { filter } })
    return (await found.json<{ resources: string[] }>()).resources[0]
  }
  override async create(ioc: Ioc): Promise<string> {
    const created = this.#falcon.post(entities, { json: { indicators: [ioc] } })
    return (await created.json<{ resources: [{ id: string }] }>()).resources[0].id
  }
  override async update(ioc: Ioc, context: EventContext): Promise<string | void> {
    const { type: _, value: __, ...changes } = ioc
    if (context.changed.includes('pattern')) {
      // Falcon does not let the value of an indicator be changed.
      await this.delete(context)
      return this.create(ioc)
    }
    await this.#falcon.patch(entities, { json: { indicators: [{ id: context.externalId, ...changes }] } })
  }
  override async delete({ externalId }: EventContext): Promise<void> {
    await this.#falcon.delete(entities, { searchParams: { ids: externalId } })
  }
}

/** The connector withdraws an indicator when it expires; Falcon does it a day later, if the connector is away then. */
function expirationOf(entity: Entity): string | undefined {
  const validUntil = validUntilOf(entity)
  return validUntil && new Date(Date.parse(validUntil) + 86_400_000).toISOString()
}

/** The one value that an indicator is about; undefined for what Falcon has no form for. */
function iocValueOf(entity: Entity): IocValue | undefined {
  const { observables, notExpressible } = observablesOf(entity)
  const [observable, ...others] = observables
  if (observable === undefined || others.length > 0 || notExpressible.length > 0) return undefined
  return valueOf(observable)
}

function valueOf(observable: Observable): IocValue | undefined {
  switch (observable.type) {
    case 'IPv4-Addr':
      return { type: 'ipv4', value: observable.value }
    case 'IPv6-Addr':
      return { type: 'ipv6', value: observable.value }
    case 'Domain-Name':
    case 'Hostname':
      return { type: 'domain', value: observable.value }
    case 'StixFile': {
      const { 'SHA-256': sha256, MD5: md5 } = observable.hashes ?? {}
      if (sha256 !== undefined) return { type: 'sha256', value: sha256 }
      return md5 === undefined ? undefined : { type: 'md5', value: md5 }
    }
    default:
      return undefined
  }
}
