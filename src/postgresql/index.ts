// Also the package entry "opencti-stream-connector/postgresql", which requires the package "pg".

// State in PostgreSQL

export { PostgresqlStore } from './postgresql-store.ts'
export { type PostgresqlStoreOptions } from './postgresql-store-options.ts'
