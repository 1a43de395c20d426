import { createHmac } from 'node:crypto'
import {
  StreamConnector,
  defineSettings,
  entityKeyOf,
  secret,
  targetSettings,
} from 'opencti-stream-connector'
import { type ConnectorDefaults, type Entity, type EventContext } from 'opencti-stream-connector'

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
    const hmac = createHmac('sha256', this.settings.webhook.signing_secret.reveal())
    const headers = {
      'content-type': 'application/json',
      'x-opencti-event': event,
      'x-opencti-event-id': position ?? '',
      'x-opencti-entity': entityKeyOf(entity),
      'x-opencti-signature': `sha256=${hmac.update(body).digest('hex')}`,
    }
    await this.#webhook.post('', { body, headers })
  }
}
