import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { migrations } from '../../src/store/sqlite-schema.ts'
import { type EntityRecord } from '../../src/store/state-store.ts'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'

const uuid = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

/** A file as an older version left it. */
function writeState(file: string, version: number, fill: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA application_id = 0x4f435343')
  for (const migration of migrations.slice(0, version)) database.exec(migration as string)
  fill(database)
  database.exec(`INSERT INTO meta VALUES ('owner', '${connectorId}'); PRAGMA user_version = ${version}`)
  database.close()
}

const addLetter = `INSERT INTO dead_letter (key, event_type, attempts, first_at_ms, last_at_ms, error, data)
  VALUES ('a', 'create', 1, 1, 1, 'no', '{}')`

describe('a file of an older version', () => {
  it('before routes is migrated with everything in it', async () => {
    const { file, make } = stateDirectory()
    writeState(file, 2, (database) =>
      database.exec(`INSERT INTO entity VALUES ('a', 's', 'x', '5-0', 9); ${addLetter}`),
    )
    const store = make()
    expect(await store.open(connectorId)).toEqual({ fresh: false })
    const old = { key: 'a', stixId: 's', externalId: 'x', position: '5-0', expiresAtMs: 9 }
    expect(store.entity('a')).toEqual(old)
    const routed = { key: 'a@chat', route: 'chat', stixId: 's' }
    await store.commit({ putEntities: [routed] })
    expect(await store.entities({ limit: 9 })).toEqual([old, routed])
    expect(await store.deadLetters({ limit: 9 })).toMatchObject([{ id: 1, key: 'a', data: '{}' }])
  })

  it('with ids and positions as text has every entity, however its key looks', async () => {
    const keys = [
      uuid,
      `${uuid}@chat`,
      uuid.toUpperCase(),
      `indicator--${uuid}`,
      `x-unknown--${uuid}`,
      '',
      'é@\u{1f600}',
      ...Array.from({ length: 3000 }, (_, index) =>
        uuid.replace(/^.{8}/, (index * 7919).toString().padStart(8, '0')),
      ),
    ]
    const records = keys.map((key, index): EntityRecord => {
      const optional = {
        externalId: `T-${index % 50}`,
        position: `${index}-${index % 70}`,
        expiresAtMs: index,
      }
      return {
        key,
        stixId: `indicator--${uuid}`,
        ...(index % 3 > 0 && { ...optional, route: 'r', caughtUpMs: 5 }),
      }
    })
    const { file, make } = stateDirectory()
    writeState(file, 7, (database) => {
      const put = database.prepare('INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?)')
      for (const { key, stixId, externalId, position, expiresAtMs, route, caughtUpMs } of records) {
        put.run(
          key,
          stixId,
          ...[externalId, position, expiresAtMs, route, caughtUpMs].map((each) => each ?? null),
        )
      }
    })
    const store = make()
    await store.open(connectorId)
    expect(records.map(({ key }) => store.entity(key))).toEqual(records)
    expect(store.entitiesOf(keys)).toEqual(records)
    const byKey = (one: EntityRecord, other: EntityRecord) => (one.key < other.key ? -1 : 1)
    expect((await store.entities({ limit: 9999 })).toSorted(byKey)).toEqual(records.toSorted(byKey))
    expect(store.entitiesAt('T-7').every(({ externalId }) => externalId === 'T-7')).toBe(true)
    expect(store.entitiesAt('T-7').length).toBeGreaterThan(30)
    const soonest = await store.expiring({ atMs: 30, limit: 99 })
    expect(soonest.map(({ expiresAtMs }) => expiresAtMs)).toEqual(
      records.flatMap(({ expiresAtMs = 99 }) => (expiresAtMs <= 30 ? [expiresAtMs] : [])),
    )
  })

  it.each([0, 100, 19_900])(
    'killed after %i entities of its migration, it opens as before',
    async (entities) => {
      const { directory, file, make } = stateDirectory()
      // Long enough that a part of it is in the log long before the end.
      writeState(file, 7, (database) =>
        database.exec(`WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 20000)
        INSERT INTO entity SELECT 'key-' || n, 's', printf('%.1000c', 'x'), n || '-0', NULL, NULL, NULL FROM number`),
      )
      const script = fileURLToPath(new URL('children/killed-migration.ts', import.meta.url))
      const { signal } = spawnSync(process.execPath, [script, directory, connectorId, String(entities)])
      expect(signal).toBe('SIGKILL')
      const log = statSync(`${file}-wal`).size
      if (entities > 19_000) expect(log).toBeGreaterThan(1_000_000)
      const old = new DatabaseSync(file)
      expect(old.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 7 })
      old.close()
      const store = make()
      await store.open(connectorId)
      expect(await store.countEntities()).toBe(20_000)
      expect(store.entity('key-20000')).toMatchObject({ stixId: 's', position: '20000-0' })
    },
  )
})

describe('the file', () => {
  it('takes at most 70 bytes per entity', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    for (let commit = 0; commit < 20; commit++) {
      const putEntities = Array.from({ length: 1000 }, (_, index) => ({
        key: crypto.randomUUID(),
        stixId: `indicator--${crypto.randomUUID()}`,
        position: `${1_760_000_000_000 + commit * 1000 + index}-0`,
      }))
      await store.commit({ putEntities })
    }
    await store.close()
    expect(statSync(file).size / 20_000).toBeLessThanOrEqual(70)
  })
})
