import { PostgresqlStore } from '../postgresql/postgresql-store.ts'
import { type StateStore } from '../store/state-store.ts'

/** A store that copies of a connector share. */
export interface SharedStore extends StateStore {
  /** Name of the copy that leads now; undefined if none does. */
  leader(): Promise<string | undefined>
}

/** Options of {@link storeAtUrl}; see `PostgresqlStoreOptions`. */
export interface StoreAtUrlOptions {
  readonly access?: 'exclusive' | 'shared' | 'read-only' | undefined
  readonly leaseMs?: number | undefined
}

/**
 * The store for `CONNECTOR_STATE_URL`. It loads its client library when it is opened. Its lease runs on the machine's
 * clock, because the server's time cannot be set by a test.
 *
 * @throws StateError `STATE_UNREADABLE` if the address cannot be used.
 */
export function storeAtUrl(url: string, options: StoreAtUrlOptions): SharedStore {
  return new PostgresqlStore({ url, ...options })
}
