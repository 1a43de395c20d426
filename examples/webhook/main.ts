import { WebhookConnector } from './connector.ts'

await WebhookConnector.run()
