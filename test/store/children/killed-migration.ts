import { StatementSync } from 'node:sqlite'
import { SqliteStore } from '../../../src/store/sqlite-store.ts'

// Opens a state of an older version, and is killed when it has copied so many entities.
const [directory, connectorId, entities] = process.argv.slice(2)
let left = Number(entities)
const { run } = StatementSync.prototype
StatementSync.prototype.run = function (this: StatementSync, ...parameters: unknown[]) {
  if (this.sourceSQL.startsWith('INSERT INTO entity') && left-- === 0) process.kill(process.pid, 'SIGKILL')
  return Reflect.apply(run, this, parameters) as ReturnType<typeof run>
} as typeof run
await new SqliteStore({ directory: directory!, connectorId: connectorId! }).open(connectorId!)
