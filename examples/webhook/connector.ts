import { createHmac } from 'node:crypto'
import { StreamConnector, defineSettings, entityKeyOf, targetSettings } from 'opencti-stream-connector'
import { secret, type ConnectorDefaults, type Entity, type EventContext } from 'opencti-stream-connector'

const settings = defineSettings({ webhook: targetSettings('token').extend({ signing_secret: secret() }) })
const throwHttpErrors = (status: number) => status === 401 || status === 403 // few endpoints know HEAD

/** Hands every event of a live stream to an HTTP endpoint, as the platform sent it, signed. */
export class WebhookConnector extends StreamConnector<typeof settings> {
  static override readonly settings = settings
  static override readonly defaults = { name: 'Webhook' } satisfies ConnectorDefaults
  readonly #api = this.targetHttp(this.settings.webhook)
  transform = (entity: Entity) => entity
  override check = async (signal: AbortSignal) => void (await this.#api.head('', { signal, throwHttpErrors }))
  override create = (_: Entity, context: EventContext) => this.#send(context)
  override update = (_: Entity, context: EventContext) => this.#send(context)
  override delete = (context: EventContext) => this.#send(context)

  async #send({ event, entity, idempotencyKey, raw, envelope: json }: EventContext): Promise<void> {
    const hmac = createHmac('sha256', this.settings.webhook.signing_secret.reveal()).update(raw)
    const headers = {
      'idempotency-key': idempotencyKey,
      'x-opencti-event': event,
      'x-opencti-entity': entityKeyOf(entity),
      'x-opencti-signature': `sha256=${hmac.digest('hex')}`,
    }
    await this.#api.post('', { json, headers })
  }
}
