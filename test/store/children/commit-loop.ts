import { writeSync } from 'node:fs'
import { SqliteStore } from '../../../src/store/sqlite-store.ts'

// Commits number after number, with so many entities each, until it is killed, and says each one after it is kept.
const [directory, connectorId, entities] = process.argv.slice(2)
const store = new SqliteStore({ directory: directory!, connectorId: connectorId! })
await store.open(connectorId!)
writeSync(1, 'open\n')
for (let number = Number(store.value('number') ?? 0) + 1; ; number++) {
  await store.commit({
    values: new Map([['number', String(number)]]),
    putEntities: Array.from({ length: Number(entities) }, (_, index) => ({
      key: `${(number * 7919) % 1000}-${number}-${index}`,
      stixId: `indicator--${number}`,
      externalId: 'x'.repeat(200),
    })),
    addDeadLetters: [
      { eventType: 'create', attempts: 1, firstAtMs: 1, lastAtMs: 1, error: 'no', data: String(number) },
    ],
    durable: number % 50 === 0,
  })
  writeSync(1, `${number}\n`)
}
