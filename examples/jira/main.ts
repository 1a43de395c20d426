import { JiraConnector } from './connector.ts'

await JiraConnector.run()
