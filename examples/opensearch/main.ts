import { OpenSearchConnector } from './connector.ts'

await OpenSearchConnector.run()
