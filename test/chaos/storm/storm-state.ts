import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SqliteStore, type StateStore } from 'opencti-stream-connector'
import { RedisStore } from 'opencti-stream-connector/redis'
import { PostgresqlStore } from 'opencti-stream-connector/postgresql'
import { RedisServer } from '../../fixtures/redis-server.ts'
import { PostgresqlServer } from '../../postgresql/start-postgresql.ts'

/** Where a stormed connector keeps its state. */
export interface StormState extends AsyncDisposable {
  /** Settings of the connector. */
  readonly environment: Readonly<Record<string, string>>
  /** What a killed process has left, opened to be read; undefined if there is none, or half of one. */
  read(): Promise<StateStore | undefined>
  /** Removes it, while no process uses it. */
  lose(): Promise<void>
  /** Does something to the server of the state while the connector runs. Returns what, and when it is over. */
  disturb?(random: () => number): Promise<string>
}

/** A file in a folder. */
export function fileState(folder: string, connectorId: string): StormState {
  const directory = join(folder, 'state')
  return {
    environment: { CONNECTOR_STATE_DIR: directory },
    read: async () =>
      existsSync(join(directory, `${connectorId}.sqlite`))
        ? opened(new SqliteStore({ directory, connectorId, access: 'read-only' }), connectorId)
        : undefined,
    lose: () => rm(directory, { recursive: true, force: true }),
    [Symbol.asyncDispose]: async () => {},
  }
}

/** A Redis that is killed and frozen from time to time, and syncs every write to its disk. */
export async function redisState(connectorId: string): Promise<StormState> {
  const server = await RedisServer.start({ isPersistent: true })
  return {
    environment: { CONNECTOR_STATE_URL: server.url, CONNECTOR_LEASE_MS: '1000' },
    read: () => opened(new RedisStore({ url: server.url, access: 'read-only' }), connectorId),
    lose: async () => void (await server.command('FLUSHALL')),
    disturb: async (random) => {
      const kind = random()
      if (kind < 0.6) return 'none'
      if (kind < 0.8) {
        server.freeze()
        await sleep(random() * 300)
        server.thaw()
        return 'frozen'
      }
      await server.end()
      await sleep(random() * 300)
      await server.restart()
      return 'killed'
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** A PostgreSQL that crashes, breaks off all connections, and locks its tables from time to time. */
export async function postgresqlState(connectorId: string): Promise<StormState> {
  const server = await PostgresqlServer.start()
  const url = await server.database()
  const database = new URL(url).pathname.slice(1)
  const inDatabase = async (sql: string) => {
    // There may be no tables yet.
    await server.admin(sql, database).catch(() => {})
  }
  return {
    environment: { CONNECTOR_STATE_URL: url, CONNECTOR_LEASE_MS: '1000' },
    read: () => opened(new PostgresqlStore({ url, access: 'read-only' }), connectorId),
    lose: () =>
      inDatabase(
        `DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO connectors`,
      ),
    disturb: async (random) => {
      const kind = random()
      if (kind < 0.5) return 'none'
      if (kind < 0.7) {
        await inDatabase(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'connectors'",
        )
        return 'cut off'
      }
      if (kind < 0.85) {
        const table = 'opencti_stream_connector_entity'
        await inDatabase(`BEGIN; LOCK TABLE ${table}; SELECT pg_sleep(${random() * 0.3}); COMMIT`)
        return 'locked'
      }
      await server.stop('SIGQUIT')
      await sleep(random() * 300)
      await server.resume()
      return 'crashed'
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function opened(store: StateStore, connectorId: string): Promise<StateStore | undefined> {
  try {
    await store.open(connectorId)
    return store
  } catch {
    return undefined
  }
}
