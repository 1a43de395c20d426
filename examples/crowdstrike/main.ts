import { CrowdstrikeConnector } from './connector.ts'

await CrowdstrikeConnector.run()
