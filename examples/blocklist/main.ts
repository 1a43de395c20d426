import { BlocklistConnector } from './connector.ts'

await BlocklistConnector.run()
