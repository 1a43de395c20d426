import { WebhookConnector } from './webhook-connector.ts'

await WebhookConnector.run()
