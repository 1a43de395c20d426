import { SyslogConnector } from './connector.ts'

await SyslogConnector.run()
