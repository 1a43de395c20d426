import { PostgresqlConnector } from './connector.ts'

await PostgresqlConnector.run()
