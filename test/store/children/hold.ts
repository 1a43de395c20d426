import { writeSync } from 'node:fs'
import { SqliteStore } from '../../../src/store/sqlite-store.ts'

// Opens the state, or says why not, and stays until it is killed.
const [directory, connectorId] = process.argv.slice(2)
const store = new SqliteStore({ directory: directory!, connectorId: connectorId! })
const outcome = await store.open(connectorId!).then(
  () => 'open',
  (error: unknown) => String((error as { code?: unknown }).code),
)
writeSync(1, `${outcome}\n`)
setInterval(() => {}, 1_000_000)
