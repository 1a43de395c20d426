import { writeSync } from 'node:fs'
import { SqliteStore } from '../../../src/store/sqlite-store.ts'

// Commits, so many entities at once, until the disk takes no more, and tells what it can still do.
const [directory, connectorId, entities] = process.argv.slice(2)
const store = new SqliteStore({ directory: directory!, connectorId: connectorId! })
await store.open(connectorId!)
const attempt = (number: number) =>
  store.commit({
    values: new Map([['number', String(number)]]),
    putEntities: Array.from({ length: Number(entities) }, (_, index) => ({
      key: `key-${number}-${index}`,
      stixId: 'x'.repeat(20_000 / Number(entities)),
    })),
  })
for (let number = 1; number < 10_000; number++) {
  try {
    await attempt(number)
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    const again = await attempt(number).then(
      () => 'kept',
      (later: unknown) => (later as { code: string }).code,
    )
    const report = {
      number,
      code,
      message,
      again,
      value: store.value('number'),
      last: store.entity(`key-${number}-0`),
    }
    writeSync(1, JSON.stringify(report))
    break
  }
}
await store.close()
