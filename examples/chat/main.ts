import { ChatConnector } from './connector.ts'

await ChatConnector.run()
