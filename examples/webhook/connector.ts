import { createHmac } from 'node:crypto'
import { StreamConnector, defineSettings, entityKeyOf, targetSettings } from 'opencti-stream-connector'
import { secret, type ConnectorDefaults, type Entity, type EventContext } from 'opencti-stream-connector'

const settings = defineSettings({ webhook: targetSettings('token').extend({ signing_secret: secret() }) })

/** Hands every event of a live stream to an HTTP endpoint, as the platform sent it, signed. */
export class WebhookConnector extends StreamConnector<typeof settings> {
  static override readonly settings = settings
  static override readonly defaults = { name: 'Webhook' } satisfies ConnectorDefaults
  readonly #webhook = this.targetHttp(this.settings.webhook)

  transform = (entity: Entity) => entity
  override create = (_: Entity, context: EventContext) => this.#send(context)
  override update = (_: Entity, context: EventContext) => this.#send(context)
  override delete = (context: EventContext) => this.#send(context)

  async #send({ event, entity, position, raw: body }: EventContext): Promise<void> {
    const hmac = createHmac('sha256', this.settings.webhook.signing_secret.reveal()).update(body)
    const headers = {
      'content-type': 'application/json',
      'idempotency-key': `${position ?? Date.now()}/${event}/${entityKeyOf(entity)}`,
      'x-opencti-event': event,
      'x-opencti-entity': entityKeyOf(entity),
      'x-opencti-signature': `sha256=${hmac.digest('hex')}`,
    }
    await this.#webhook.post('', { body, headers })
  }
}
