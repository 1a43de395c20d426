import { RequestTrackerConnector } from './connector.ts'

await RequestTrackerConnector.run()
