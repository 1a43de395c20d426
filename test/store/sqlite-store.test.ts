import * as fc from 'fast-check'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type SqliteStore } from '../../src/store/sqlite-store.ts'
import { type EntityRecord, type StateChanges, type StateStore } from '../../src/store/state-store.ts'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'
import { itIsAStateStore, letter } from './state-store.conformance.ts'

describe('SqliteStore', () => {
  itIsAStateStore(async () => {
    const { make } = stateDirectory()
    return { store: make(), reopen: () => make() }
  })

  it.each([
    ['', 500],
    [' in its thread', 0],
  ])(
    'does%s exactly what MemoryStore does',
    async (_, largeCommitEntities) => {
      const keys = fc.constantFrom(...modelKeys)
      const ids = fc.integer({ min: 1, max: 12 })
      const text = fc.string({ unit: 'grapheme', maxLength: 5 })
      const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
      const position = fc.tuple(fc.nat(12), fc.nat(2)).map(([ms, seq]) => `${ms}-${seq}`)
      const changes: fc.Arbitrary<StateChanges> = fc.record(
        {
          values: fc.array(fc.tuple(keys, maybe(text)), { maxLength: 3 }).map((entries) => new Map(entries)),
          putEntities: fc.array(
            fc.record({
              key: keys,
              stixId: fc.oneof(text, keys),
              externalId: maybe(fc.oneof(fc.constant('T-1'), text, keys)),
              position: maybe(fc.oneof(position, fc.constantFrom('1-64', '01-0', '999999999999999-0'))),
              expiresAtMs: maybe(fc.nat(9)),
              route: maybe(text),
            }),
            { maxLength: 4 },
          ),
          deleteEntities: fc.array(keys, { maxLength: 2 }),
          putClaims: fc.array(fc.record({ entity: keys, key: keys, item: text }), { maxLength: 4 }),
          deleteClaims: fc.array(fc.record({ entity: keys, key: keys }), { maxLength: 2 }),
          putItems: fc.array(fc.record({ key: keys, externalId: maybe(text), item: text }), { maxLength: 3 }),
          deleteItems: fc.array(keys, { maxLength: 2 }),
          forgetPositions: fc.boolean(),
          addDeadLetters: fc.array(
            fc
              .record({
                key: maybe(keys),
                error: text,
                data: text,
                position: maybe(position),
                route: maybe(text),
              })
              .map(letter),
            { maxLength: 3 },
          ),
          removeDeadLetters: fc.array(ids, { maxLength: 2 }),
          updateDeadLetters: fc.array(
            fc.record({
              id: ids,
              attempts: fc.nat(9),
              lastAtMs: fc.nat(9),
              error: text,
              answered: fc.constantFrom('requested', 'forced', undefined),
            }),
            { maxLength: 2 },
          ),
          outdateDeadLetters: fc
            .array(fc.tuple(keys, position), { maxLength: 2 })
            .map((entries) => new Map(entries)),
          durable: fc.boolean(),
        },
        { requiredKeys: [] },
      )
      const replay = fc.record({ ids: maybe(fc.array(ids, { maxLength: 3 })), force: fc.boolean() })
      const { directory, make } = stateDirectory()
      let run = 0
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(changes, maybe(replay)), { maxLength: 8 }), async (steps) => {
          const sqlite = make({ directory: join(directory, `${run++}`), largeCommitEntities })
          const memory = new MemoryStore()
          await sqlite.open(connectorId)
          await memory.open(connectorId)
          for (const [change, request] of steps) {
            await sqlite.commit(change)
            await memory.commit(change)
            if (request) expect(await sqlite.requestReplay(request)).toBe(await memory.requestReplay(request))
            expect(await everythingIn(sqlite)).toStrictEqual(await everythingIn(memory))
          }
          await sqlite.close()
        }),
        { numRuns: 40 },
      )
    },
    120_000,
  )
})

const uuid = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const ids = [uuid, `${uuid}@chat`, uuid.toUpperCase(), `indicator--${uuid}`, `x-unknown--${uuid}`]
const modelKeys = ['a', 'b', 'c', 'é', '\uFFFD', '😀', ...ids]

/** What both stores tell; each has its own order of the entities. */
async function everythingIn(store: StateStore) {
  const sorted = <T extends { readonly key: string }>(records: readonly T[]) =>
    records.toSorted((one, other) => (one.key < other.key ? -1 : 1))
  const pages: EntityRecord[] = []
  for (;;) {
    const page = await store.entities({ afterKey: pages.at(-1)?.key, limit: 2 })
    if (page.length === 0) break
    pages.push(...page)
  }
  return {
    values: await Promise.all(['a', 'b', 'c', 'é'].map((name) => store.value(name))),
    entities: sorted(await store.entities({ limit: 99 })),
    pages: sorted(pages),
    single: modelKeys.map((key) => store.entity(key)),
    entitiesOf: store.entitiesOf!(['none', ...modelKeys, ...modelKeys]),
    entitiesAt: await Promise.all(
      [...modelKeys, 'T-1'].map(async (id) =>
        // An entity's own id belongs to no other, so a store need not find it there.
        sorted(await store.entitiesAt(id)).filter(({ key, stixId }) => id !== key && id !== stixId),
      ),
    ),
    expiring: sorted(await store.expiring({ atMs: 6, limit: 99 })),
    soonest: (await store.expiring({ atMs: 6, limit: 3 })).map(({ expiresAtMs }) => expiresAtMs),
    claims: await store.claims({ limit: 99 }),
    laterClaims: await store.claims({ after: { key: 'b', entity: 'a' }, limit: 2 }),
    claimsOf: await store.claimsOf({ entity: 'a', afterKey: 'a', limit: 2 }),
    claimsOn: await store.claimsOn({ key: 'b', limit: 9 }),
    items: await store.items({ limit: 99 }),
    letters: await store.deadLetters({ limit: 99 }),
    laterLetters: await store.deadLetters({ afterId: 3, limit: 2, withoutData: true }),
    replays: await store.deadLetters({ limit: 99, onlyReplay: true }),
    counts: [await store.countEntities(), await store.countDeadLetters(), await store.countItems()],
  }
}

describe('the file', () => {
  it('and its folder are private to their owner, whatever the umask', async () => {
    const { directory, make } = stateDirectory()
    const umask = process.umask(0)
    try {
      const store = make({ directory: join(directory, 'a', 'b') })
      await store.open(connectorId)
      await store.commit({ addDeadLetters: [letter()] })
    } finally {
      process.umask(umask)
    }
    const mode = (...path: string[]) => (statSync(join(directory, ...path)).mode & 0o777).toString(8)
    expect([mode('a'), mode('a', 'b')]).toEqual(['700', '700'])
    const files = readdirSync(join(directory, 'a', 'b')).toSorted()
    expect(files).toEqual([
      `${connectorId}.lock`,
      ...['', '-shm', '-wal'].map((end) => `${connectorId}.sqlite${end}`),
    ])
    expect(files.map((name) => mode('a', 'b', name))).toEqual(['600', '600', '600', '600'])
  })

  it('keeps the mode that somebody gave it', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    await store.close()
    chmodSync(file, 0o640)
    await store.open(connectorId)
    expect((statSync(file).mode & 0o777).toString(8)).toBe('640')
  })

  it('has a name that every file system accepts, and another for each id', async () => {
    const { directory, make } = stateDirectory()
    for (const id of ['../../etc/passwd', '.. .. etc passwd', '', '.', 'ü'.repeat(300)]) {
      await make({ connectorId: id }).open(id)
    }
    const names = readdirSync(directory).filter((name) => name.endsWith('.sqlite'))
    expect(names).toHaveLength(5)
    for (const name of names) expect(name).toMatch(/^[\w-]{1,100}\.sqlite$/)
  })

  it('can be read by any SQLite, and says what it is', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    await store.commit({ addDeadLetters: [letter({ data: '{"a":1}' })] })
    const database = new DatabaseSync(file, { readOnly: true })
    expect(database.prepare('SELECT data, error FROM dead_letter').get()).toMatchObject({ data: '{"a":1}' })
    expect(database.prepare('PRAGMA application_id').get()).toMatchObject({ application_id: 0x4f435343 })
    expect(database.prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
    database.close()
  })

  it('counts and pages many large dead letters without reading all of them', async () => {
    const { file, make } = stateDirectory()
    await make().open(connectorId)
    const database = new DatabaseSync(file, { readOnly: true })
    const plan = (query: string) => JSON.stringify(database.prepare(`EXPLAIN QUERY PLAN ${query}`).all())
    expect(plan('SELECT count(*) FROM dead_letter')).toMatch(/USING COVERING INDEX/)
    expect(plan('SELECT * FROM dead_letter WHERE id > 9 ORDER BY id LIMIT 5')).toMatch(/SEARCH.*PRIMARY KEY/)
    database.close()
  })
})

describe('refuses an unusable state', () => {
  const refusal = async (open: () => Promise<unknown>) =>
    open().then(
      () => expect.fail('it should have been refused'),
      (error: unknown) => error as Error & { code: string },
    )

  it('that is garbage, until somebody moves it away', async () => {
    const { file, make } = stateDirectory()
    writeFileSync(file, 'this is no database, and has been long enough to look like one'.repeat(20))
    const error = await refusal(() => make().open(connectorId))
    expect(error.code).toBe('STATE_CORRUPT')
    expect(error.message).toMatch(/Move .*\.sqlite.* away.*position on the platform/)
  })

  it('that lacks a part', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    await store.commit({
      addDeadLetters: Array.from({ length: 100 }, () => letter({ data: 'x'.repeat(1000) })),
    })
    await store.close()
    truncateSync(file, statSync(file).size / 2)
    expect((await refusal(() => make().open(connectorId))).code).toBe('STATE_CORRUPT')
  })

  it('that is overwritten in the middle, as soon as it reads that', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    const putEntities = Array.from({ length: 5000 }, (_, index) => ({
      key: `key-${index}`,
      stixId: 'x'.repeat(50),
    }))
    await store.commit({ putEntities })
    await store.close()
    const bytes = readFileSync(file)
    bytes.fill(0xff, 4096 * 20, 4096 * 100)
    writeFileSync(file, bytes)
    const again = make()
    await again.open(connectorId)
    expect((await refusal(() => again.entities({ limit: 5000 }))).code).toBe('STATE_CORRUPT')
  })

  it('that is another database, and leaves it unchanged', async () => {
    const { file, make } = stateDirectory()
    const database = new DatabaseSync(file)
    database.exec('CREATE TABLE theirs (a)')
    database.close()
    const before = readFileSync(file)
    expect((await refusal(() => make().open(connectorId))).code).toBe('STATE_CORRUPT')
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  it('that a newer version wrote', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    await store.close()
    const database = new DatabaseSync(file)
    database.exec('PRAGMA user_version = 99')
    database.close()
    const error = await refusal(() => make().open(connectorId))
    expect(error).toMatchObject({
      code: 'STATE_UNREADABLE',
      message: expect.stringContaining('newer version'),
    })
  })

  it('whose folder is a file, or is below one', async () => {
    const { directory, make } = stateDirectory()
    writeFileSync(join(directory, 'file'), '')
    for (const path of ['file', 'file/below']) {
      const error = await refusal(() => make({ directory: join(directory, path) }).open(connectorId))
      expect(error).toMatchObject({
        code: 'STATE_UNREADABLE',
        message: expect.stringMatching(/is a file.*CONNECTOR_STATE_DIR|CONNECTOR_STATE_DIR.*is a file/),
      })
    }
  })

  it('where this user may not write', async () => {
    const { directory, make } = stateDirectory()
    const closed = join(directory, 'closed')
    mkdirSync(closed, { mode: 0o500 })
    chmodSync(directory, 0o755)
    const error = await asNobody(() => refusal(() => make({ directory: closed }).open(connectorId)))
    expect(error).toMatchObject({
      code: 'STATE_UNREADABLE',
      message: expect.stringContaining('permission denied'),
    })
  })

  it('whose lock is read-only, which would not lock anything', async () => {
    const { directory, file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    await store.close()
    chmodSync(directory, 0o777)
    chmodSync(file, 0o666)
    chmodSync(join(directory, `${connectorId}.lock`), 0o444)
    const error = await asNobody(() => refusal(() => make().open(connectorId)))
    expect(error).toMatchObject({
      code: 'STATE_UNREADABLE',
      message: expect.stringContaining('permission denied'),
    })
  })

  it("whose lock's place is taken by something else, and releases nothing that holds it", async () => {
    const { directory, make } = stateDirectory()
    mkdirSync(join(directory, `${connectorId}.lock`))
    expect((await refusal(() => make().open(connectorId))).code).toBe('STATE_UNREADABLE')
    expect(existsSync(join(directory, `${connectorId}.sqlite`))).toBe(false)
  })

  it('and opens it after the reason is gone, because a refusal keeps no lock', async () => {
    const { file, make } = stateDirectory()
    writeFileSync(file, 'garbage'.repeat(200))
    const store = make()
    await refusal(() => store.open(connectorId))
    writeFileSync(file, '')
    expect(await store.open(connectorId)).toEqual({ fresh: true })
  })
})

describe('a state that is taken away at run time', () => {
  const position = (store: SqliteStore, text: string) =>
    store.commit({ values: new Map([['position', text]]) })
  const isGone = { code: 'STATE_NOT_WRITTEN', message: expect.stringMatching(/deleted or replaced.*restart/) }

  it('accepts no changes in a deleted folder, which would be gone with the process', async () => {
    const { directory, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    rmSync(directory, { recursive: true })
    await expect(position(store, '1')).rejects.toMatchObject(isGone)
    const putEntities = Array.from({ length: 600 }, (_, index) => ({ key: `${index}`, stixId: 'a' }))
    await expect(store.commit({ putEntities })).rejects.toMatchObject(isGone)
    await expect(store.requestReplay({ force: false })).rejects.toMatchObject(isGone)
    await store.close()
    const again = make()
    expect(await again.open(connectorId)).toEqual({ fresh: true })
    await position(again, '1')
  })

  it.each(['.sqlite', '.sqlite-wal', '.sqlite-shm', '.lock'])(
    'accepts none without its %s, until that is back',
    async (end) => {
      const { directory, make } = stateDirectory()
      const store = make()
      await store.open(connectorId)
      const file = join(directory, `${connectorId}${end}`)
      renameSync(file, `${file}.away`)
      await expect(position(store, '1')).rejects.toMatchObject(isGone)
      writeFileSync(file, '')
      await expect(position(store, '1')).rejects.toMatchObject(isGone)
      renameSync(`${file}.away`, file)
      await position(store, '1')
      expect(store.value('position')).toBe('1')
    },
  )

  it('has one holder at a time, even if somebody removes the lock', async () => {
    const { directory, make } = stateDirectory()
    const first = make()
    await first.open(connectorId)
    rmSync(join(directory, `${connectorId}.lock`))
    const second = make()
    await second.open(connectorId)
    await expect(position(first, '1')).rejects.toMatchObject(isGone)
    await position(second, '2')
  })
})

/** Root may write everywhere: lay its rights down for a moment. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid!(65_534)
  try {
    return await work()
  } finally {
    process.seteuid!(0)
  }
}

describe('tools next to a running connector', () => {
  it('read and mark dead letters while it runs; a second connector is refused', async () => {
    const { make } = stateDirectory()
    const connector = make()
    await connector.open(connectorId)
    await connector.commit({ addDeadLetters: [letter()] })
    await expect(make().open(connectorId)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      message: expect.stringMatching(/Stop it first/),
    })
    const viewer = make({ access: 'read-only' })
    expect(await viewer.open(connectorId)).toEqual({ fresh: false })
    expect(await viewer.countDeadLetters()).toBe(1)
    await expect(viewer.requestReplay({ force: false })).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    const tool = make({ access: 'shared' })
    await tool.open(connectorId)
    expect(await tool.requestReplay({ force: false })).toBe(1)
    expect(await connector.deadLetters({ limit: 9, onlyReplay: true })).toHaveLength(1)
    await connector.commit({ removeDeadLetters: [1] })
    expect([await viewer.countDeadLetters(), await tool.countDeadLetters()]).toEqual([0, 0])
  })

  it.each(['shared', 'read-only'] as const)(
    "create nothing that does not exist, and do not touch another's state: %s",
    async (access) => {
      const { directory, make } = stateDirectory()
      await expect(make({ access }).open(connectorId)).rejects.toMatchObject({
        code: 'STATE_UNREADABLE',
        message: expect.stringContaining('does not exist in the state folder'),
      })
      expect(readdirSync(directory)).toEqual([])
      const connector = make()
      await connector.open(connectorId)
      await connector.close()
      await expect(make({ access }).open('another')).rejects.toMatchObject({ code: 'STATE_FOREIGN' })
    },
  )
})
