import { DnsBlocklistConnector } from './connector.ts'

await DnsBlocklistConnector.run()
