import { type StateStore } from '../store/state-store.ts'
import { LoadedStore } from './loaded-store.ts'

/** Options of {@link storeAtUrl}, which all stores with an address have. */
export interface StoreAtUrlOptions {
  readonly access?: 'exclusive' | 'shared' | 'read-only' | undefined
  readonly leaseMs?: number | undefined
}

/**
 * The store for `CONNECTOR_STATE_URL`, loaded when it is opened. Its lease runs on the machine's clock, because the
 * server's time cannot be set by a test.
 */
export function storeAtUrl(url: string, options: StoreAtUrlOptions): StateStore {
  return new LoadedStore(async () => {
    if (/^rediss?:/i.test(url)) {
      const { RedisStore } = await import('../redis/redis-store.ts')
      return new RedisStore({ url, ...options })
    }
    const { PostgresqlStore } = await import('../postgresql/postgresql-store.ts')
    return new PostgresqlStore({ url, ...options })
  })
}
