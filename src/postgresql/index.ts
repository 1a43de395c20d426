// Also the package entry "opencti-stream-connector/postgresql".

export { PostgresqlStore } from './postgresql-store.ts'
export { type PostgresqlStoreOptions } from './postgresql-store-options.ts'
