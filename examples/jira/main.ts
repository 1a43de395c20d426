import { JiraConnector } from './jira-connector.ts'

await JiraConnector.run()
