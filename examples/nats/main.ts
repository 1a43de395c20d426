import { NatsConnector } from './connector.ts'

await NatsConnector.run()
