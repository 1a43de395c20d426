import { SiemConnector } from './siem-connector.ts'

await SiemConnector.run()
