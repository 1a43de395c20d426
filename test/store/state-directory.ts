import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { SqliteStore, type SqliteStoreOptions } from '../../src/store/sqlite-store.ts'

export const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

/** A folder that is gone after the test, the stores in it closed. */
export function stateDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'state-'))
  const stores: SqliteStore[] = []
  onTestFinished(async () => {
    for (const store of stores) await store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return {
    directory,
    file: join(directory, `${connectorId}.sqlite`),
    make(options: Partial<SqliteStoreOptions> = {}): SqliteStore {
      const store = new SqliteStore({ directory, connectorId, ...options })
      stores.push(store)
      return store
    },
  }
}
