import { CrowdstrikeConnector } from './crowdstrike-connector.ts'

await CrowdstrikeConnector.run()
