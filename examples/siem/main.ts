import { SiemConnector } from './connector.ts'

await SiemConnector.run()
