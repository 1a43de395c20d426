// Also the package entry "opencti-stream-connector/postgresql". Loads the client library only when a state is
// opened.

// State in PostgreSQL

export { PostgresqlStore } from './postgresql-store.ts'
export { type PostgresqlStoreOptions } from './postgresql-store-options.ts'
