import { describe, expect, it } from 'vitest'
import { type NewDeadLetter, type StateChanges, type StateStore } from '../../src/store/state-store.ts'

/** A store, and a way to come back to the same state as a restarted process would. */
export interface StoreUnderTest {
  readonly store: StateStore
  /** Another store over the same state: what the first one has left, or, if copies share it, of another copy. */
  reopen(): StateStore
}

/** What the stores differ in. */
export interface StoreTraits {
  /** Whether a state belongs to one connector, instead of keeping those of many apart. @default true */
  readonly keepsOneConnector?: boolean | undefined
}

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

export const letter = (change: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  key: 'key',
  eventType: 'create',
  attempts: 3,
  firstAtMs: 1_700_000_000_000,
  lastAtMs: 1_700_000_005_000,
  error: 'the target said no',
  data: '{"data":{}}',
  ...change,
})

/** What every store of state has to do, whatever it keeps it in. See `itIsASharedStateStore` for those with a lease. */
export function itIsAStateStore(
  make: () => Promise<StoreUnderTest>,
  { keepsOneConnector = true }: StoreTraits = {},
): void {
  const opened = async (...commits: StateChanges[]) => {
    const under = await make()
    await under.store.open(owner)
    for (const changes of commits) await under.store.commit(changes)
    return under.store
  }
  const letterIds = async (
    store: StateStore,
    page: { afterId?: number; limit?: number; onlyReplay?: boolean } = {},
  ) => (await store.deadLetters({ limit: 100, ...page })).map(({ id }) => id)

  describe('opening', () => {
    it('says whether there was anything before', async () => {
      const { store, reopen } = await make()
      expect(await store.open(owner)).toEqual({ fresh: true })
      await store.close()
      expect(await reopen().open(owner)).toEqual({ fresh: false })
    })

    it.runIf(keepsOneConnector)('refuses the state of another connector id', async () => {
      const { store, reopen } = await make()
      await store.open(owner)
      await store.close()
      const other = reopen()
      await expect(other.open('another-id')).rejects.toMatchObject({ code: 'STATE_FOREIGN' })
      expect(await other.open(owner)).toEqual({ fresh: false })
    })

    it('refuses to happen twice', async () => {
      const store = await opened()
      await expect(store.open(owner)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    })

    it('comes before everything else', async () => {
      const { store } = await make()
      await expect((async () => store.value('a'))()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
      await expect((async () => store.entity('a'))()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
      await expect(store.countEntities()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
      await expect(store.commit({})).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
      await expect(store.requestReplay({ force: false })).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    })

    it('is undone by closing, twice if necessary', async () => {
      const store = await opened()
      await store.close()
      await store.close()
      await expect(store.commit({})).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
      expect(await store.open(owner)).toEqual({ fresh: false })
    })
  })

  it('keeps everything across a restart', async () => {
    const { store, reopen } = await make()
    await store.open(owner)
    const entity = {
      key: 'k',
      stixId: 'indicator--1',
      externalId: 'x',
      position: '5-1',
      expiresAtMs: 1_900_000_000_000,
    }
    await store.commit({ values: new Map([['state', '{"a":1}']]), putEntities: [entity], durable: true })
    await store.commit({ addDeadLetters: [letter({ position: '5-1' })] })
    await store.requestReplay({ force: true })
    await store.close()
    const again = reopen()
    await again.open(owner)
    expect(await again.value('state')).toBe('{"a":1}')
    expect(await again.entity('k')).toStrictEqual(entity)
    expect(await again.deadLetter(1)).toStrictEqual({
      ...letter({ position: '5-1' }),
      id: 1,
      replay: 'forced',
    })
  })

  it('keeps values until they are replaced or removed', async () => {
    const store = await opened({
      values: new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    })
    await store.commit({
      values: new Map([
        ['a', ''],
        ['b', undefined],
        ['c', undefined],
      ]),
    })
    expect([await store.value('a'), await store.value('b'), await store.value('c')]).toEqual([
      '',
      undefined,
      undefined,
    ])
  })

  describe('values', () => {
    it('are found by the beginning of their name, page by page in order, and counted', async () => {
      const names = ['link', 'link:', 'link:a', 'link:b', 'link:é', 'link;', 'linl', 'other']
      const store = await opened({ values: new Map(names.map((name) => [name, `of ${name}`])) })
      const first = await store.values({ prefix: 'link:', limit: 2 })
      expect([...first]).toEqual([
        ['link:a', 'of link:a'],
        ['link:b', 'of link:b'],
      ])
      const rest = await store.values({ prefix: 'link:', afterName: 'link:b', limit: 2 })
      expect([...rest.keys()]).toEqual(['link:é'])
      expect(await store.countValues('link:')).toBe(3)
    })
  })

  describe('entities', () => {
    it('are returned as they were put, without absent fields', async () => {
      const store = await opened({
        putEntities: [{ key: 'k', stixId: 's', externalId: undefined, position: undefined }],
      })
      expect(await store.entity('k')).toStrictEqual({ key: 'k', stixId: 's' })
      await store.commit({ putEntities: [{ key: 'k', stixId: 't', externalId: '' }] })
      expect(await store.entity('k')).toStrictEqual({ key: 'k', stixId: 't', externalId: '' })
      expect(await store.entity('K')).toBeUndefined()
      expect(await store.countEntities()).toBe(1)
    })

    it('come page by page, each once, and always in the same order', async () => {
      const uuid = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
      const ids = [uuid, `${uuid}@chat`, uuid.replace('0', 'f'), uuid.toUpperCase(), `indicator--${uuid}`]
      const keys = ['b', 'a', 'B', 'é', 'z', '\uFFFD', '😀', '10', '9', ' ', 'ab', ...ids]
      const store = await opened({ putEntities: keys.map((key) => ({ key, stixId: 's' })) })
      const all = (await store.entities({ limit: 99 })).map(({ key }) => key)
      expect(all.toSorted()).toEqual(keys.toSorted())
      const seen: string[] = []
      for (;;) {
        const page = await store.entities({ afterKey: seen.at(-1), limit: 3 })
        if (page.length === 0) break
        expect(page.length).toBeLessThanOrEqual(3)
        seen.push(...page.map(({ key }) => key))
      }
      expect(seen).toEqual(all)
    })

    it('can be paged while they are deleted', async () => {
      const store = await opened({ putEntities: ['a', 'b', 'c', 'd'].map((key) => ({ key, stixId: 's' })) })
      const [, second] = await store.entities({ limit: 2 })
      await store.commit({ deleteEntities: ['a', 'b', 'c', 'no such key'] })
      expect((await store.entities({ afterKey: second?.key, limit: 2 })).map(({ key }) => key)).toEqual(['d'])
    })

    it('are found when their time has come, soonest first', async () => {
      const times: [string, number | undefined][] = [
        ['late', 31],
        ['b', 20],
        ['a', 20],
        ['now', 30],
        ['never', undefined],
        ['first', 0],
      ]
      const store = await opened({
        putEntities: times.map(([key, expiresAtMs]) => ({ key, stixId: 's', expiresAtMs })),
      })
      const keys = async (limit: number) => (await store.expiring({ atMs: 30, limit })).map(({ key }) => key)
      expect(await keys(10)).toEqual(['first', 'a', 'b', 'now'])
      expect(await keys(2)).toEqual(['first', 'a'])
      await store.commit({ putEntities: [{ key: 'a', stixId: 's' }], deleteEntities: ['first'] })
      expect(await keys(10)).toEqual(['b', 'now'])
    })

    it('are found by the id that the target gave them, however many share it', async () => {
      const store = await opened({
        putEntities: [
          { key: 'a', stixId: 's--a', externalId: 'ioc-1' },
          { key: 'b', stixId: 's--b', externalId: 'ioc-1' },
          { key: 'c', stixId: 's--c', externalId: 'ioc-2' },
          { key: 'd', stixId: 's--d' },
        ],
      })
      const keys = async () => (await store.entitiesAt('ioc-1')).map(({ key }) => key).toSorted()
      expect(await keys()).toEqual(['a', 'b'])
      await store.commit({ putEntities: [{ key: 'b', stixId: 's--b' }], deleteEntities: ['a'] })
      expect(await keys()).toEqual([])
    })

    it('that are gone are remembered separately, until they are removed or positions are forgotten', async () => {
      const store = await opened()
      await store.commit({
        putDepartures: new Map([
          ['a', '5-0'],
          ['b', '6-1'],
        ]),
      })
      await store.commit({
        putDepartures: new Map([
          ['b', '7-0'],
          ['c', '8-0'],
        ]),
        removeDepartures: ['a', 'none'],
      })
      expect([...(await store.departures())].toSorted()).toEqual([
        ['b', '7-0'],
        ['c', '8-0'],
      ])
      expect(await store.countEntities()).toBe(0)
      await store.commit({ forgetPositions: true, putDepartures: new Map([['d', '9-0']]) })
      expect([...(await store.departures())]).toEqual([['d', '9-0']])
    })

    it('forget their positions, but not those in the same changes', async () => {
      const store = await opened({
        putEntities: [{ key: 'old', stixId: 's', externalId: 'x', position: '1-0' }],
      })
      await store.commit({
        forgetPositions: true,
        putEntities: [{ key: 'new', stixId: 's', position: '2-0' }],
      })
      expect(await store.entity('old')).toStrictEqual({ key: 'old', stixId: 's', externalId: 'x' })
      expect(await store.entity('new')).toStrictEqual({ key: 'new', stixId: 's', position: '2-0' })
    })
  })

  describe('claims and items', () => {
    const claim = (entity: string, key: string, item = `{"of":"${entity}"}`) => ({ entity, key, item })
    const places = (claims: readonly { entity: string; key: string }[]) =>
      claims.map(({ entity, key }) => `${entity} ${key}`)

    it('are found by entity and by key, page by page, in the order of code points', async () => {
      const store = await opened({
        putClaims: [claim('b', 'x'), claim('a', '\u{1f600}'), claim('a', '\uffee'), claim('a', 'x')],
      })
      expect(places(await store.claimsOf({ entity: 'a', limit: 10 }))).toEqual([
        'a x',
        'a \uffee',
        'a \u{1f600}',
      ])
      expect(places(await store.claimsOf({ entity: 'a', afterKey: 'x', limit: 1 }))).toEqual(['a \uffee'])
      expect(places(await store.claimsOn({ key: 'x', limit: 10 }))).toEqual(['a x', 'b x'])
      expect(places(await store.claimsOn({ key: 'x', afterEntity: 'a', limit: 10 }))).toEqual(['b x'])
      const all = ['a x', 'b x', 'a \uffee', 'a \u{1f600}']
      expect(places(await store.claims({ limit: 10 }))).toEqual(all)
      expect(places(await store.claims({ limit: 2 }))).toEqual(all.slice(0, 2))
      expect(places(await store.claims({ after: { key: 'x', entity: 'a' }, limit: 10 }))).toEqual(
        all.slice(1),
      )
    })

    it('are replaced and removed, one entity at a time', async () => {
      const store = await opened({ putClaims: [claim('a', 'x'), claim('b', 'x')] })
      await store.commit({
        putClaims: [claim('a', 'x', '{"score":1}')],
        deleteClaims: [
          { entity: 'b', key: 'x' },
          { entity: 'nobody', key: 'x' },
        ],
      })
      expect(await store.claimsOn({ key: 'x', limit: 10 })).toEqual([claim('a', 'x', '{"score":1}')])
      expect(await store.claimsOf({ entity: 'b', limit: 10 })).toEqual([])
      expect(await store.countClaims()).toBe(1)
    })

    it("know the target's item under each key, and its id there", async () => {
      const store = await opened({
        putItems: [
          { key: 'y', externalId: '17', item: '1' },
          { key: 'x', externalId: '17', item: '2' },
          { key: 'z', item: '3' },
        ],
      })
      expect(await store.item('z')).toEqual({ key: 'z', item: '3' })
      expect(await store.item('nothing')).toBeUndefined()
      expect((await store.itemsAt('17')).map(({ key }) => key).toSorted()).toEqual(['x', 'y'])
      expect((await store.items({ limit: 2 })).map(({ key }) => key)).toEqual(['x', 'y'])
      expect((await store.items({ afterKey: 'y', limit: 2 })).map(({ key }) => key)).toEqual(['z'])
      await store.commit({ putItems: [{ key: 'y', item: '4' }], deleteItems: ['x', 'nothing'] })
      expect(await store.itemsAt('17')).toEqual([])
      expect(await store.item('y')).toEqual({ key: 'y', item: '4' })
      expect(await store.countItems()).toBe(2)
    })
  })

  describe('dead letters', () => {
    it('keep every field, whatever is in it', async () => {
      const full = letter({
        eventType: 'cre\0ate',
        entityId: 'indicator--1',
        entityType: 'indicator',
        position: '7-1',
        error: 'NUL \0 and 😀',
        data: `raw \0 text ${'\u2028'}\n"`,
      })
      const store = await opened({ addDeadLetters: [full, letter({ key: undefined, data: '' })] })
      expect(await store.deadLetter(1)).toStrictEqual({ ...full, id: 1 })
      const { key: _, ...unread } = letter({ data: '' })
      expect(await store.deadLetter(2)).toStrictEqual({ ...unread, id: 2 })
      expect(await store.deadLetter(3)).toBeUndefined()
    })

    it('never get a used id, not even across a restart', async () => {
      const { store, reopen } = await make()
      await store.open(owner)
      await store.commit({ addDeadLetters: [letter(), letter(), letter()] })
      await store.commit({ removeDeadLetters: [1, 2, 3, 99] })
      await store.close()
      const again = reopen()
      await again.open(owner)
      expect(await again.countDeadLetters()).toBe(0)
      await again.commit({ addDeadLetters: [letter()] })
      expect(await letterIds(again)).toEqual([4])
    })

    it('come page by page in the order of their ids, with or without their data', async () => {
      const store = await opened({
        addDeadLetters: Array.from({ length: 5 }, (_, index) => letter({ data: `${index}` })),
      })
      await store.commit({ removeDeadLetters: [2] })
      expect(await letterIds(store, { limit: 2 })).toEqual([1, 3])
      expect(await letterIds(store, { afterId: 3, limit: 2 })).toEqual([4, 5])
      expect(await letterIds(store, { afterId: 5 })).toEqual([])
      const bare = await store.deadLetters({ limit: 9, withoutData: true })
      expect(bare.map(({ data }) => data)).toEqual(['', '', '', ''])
      expect(await store.countDeadLetters()).toBe(4)
    })

    it('are listed newest first as well, without their messages', async () => {
      const store = await opened({ addDeadLetters: [letter(), letter(), letter()] })
      const page = { limit: 2, withoutData: true, newestFirst: true }
      const newest = await store.deadLetters(page)
      expect(newest.map(({ id, data }) => ({ id, data }))).toEqual([
        { id: 3, data: '' },
        { id: 2, data: '' },
      ])
      await store.commit({ removeDeadLetters: [3], addDeadLetters: [letter()] })
      expect((await store.deadLetters({ ...page, limit: 9 })).map(({ id }) => id)).toEqual([4, 2, 1])
    })

    it('are marked for another try, by id or all that are readable', async () => {
      const store = await opened({
        addDeadLetters: [letter(), letter(), letter({ key: undefined }), letter()],
      })
      expect(await store.requestReplay({ ids: [2, 2, 3, 99], force: false })).toBe(1)
      expect(await letterIds(store, { onlyReplay: true })).toEqual([2])
      expect((await store.deadLetter(2))?.replay).toBe('requested')
      expect(await store.requestReplay({ ids: [4], force: true })).toBe(1)
      expect(await store.requestReplay({ force: false })).toBe(3)
      const marked = await store.deadLetters({ onlyReplay: true, limit: 9 })
      expect(marked.map(({ id, replay }) => [id, replay])).toEqual([
        [1, 'requested'],
        [2, 'requested'],
        [4, 'forced'],
      ])
      expect(await letterIds(store, { onlyReplay: true, afterId: 1, limit: 1 })).toEqual([2])
      await store.commit({ removeDeadLetters: [2] })
      expect(await letterIds(store, { onlyReplay: true })).toEqual([1, 4])
    })

    it('lose the mark that another try has answered, and only that', async () => {
      const store = await opened({ addDeadLetters: [letter(), letter()] })
      await store.requestReplay({ ids: [1], force: false })
      await store.requestReplay({ ids: [2], force: true })
      const update = { attempts: 4, lastAtMs: 9, error: 'again', answered: 'requested' as const }
      await store.commit({
        updateDeadLetters: [
          { id: 1, ...update },
          { id: 2, ...update },
          { id: 99, ...update },
        ],
      })
      const changed = letter({ attempts: 4, lastAtMs: 9, error: 'again' })
      expect(await store.deadLetters({ limit: 9 })).toEqual([
        { ...changed, id: 1 },
        { ...changed, id: 2, replay: 'forced' },
      ])
    })

    it('know their route', async () => {
      const store = await opened({
        addDeadLetters: [
          letter({ key: 'a@chat', route: 'chat' }),
          letter({ key: 'a' }),
          letter({ route: 'siem' }),
        ],
      })
      await store.requestReplay({ force: false })
      const routes = ['chat', undefined, 'siem']
      for (const page of [{}, { withoutData: true }, { onlyReplay: true }]) {
        const letters = await store.deadLetters({ limit: 9, ...page })
        expect(letters.map(({ route }) => route)).toEqual(routes)
      }
      expect(await store.deadLetter(1)).toMatchObject({ key: 'a@chat', route: 'chat' })
      await store.commit({ removeDeadLetters: [1, 2, 3], addDeadLetters: [letter()] })
      expect((await store.deadLetters({ limit: 9 })).map(({ route }) => route)).toEqual([undefined])
    })

    it('are outdated by a newer position of their entity, even in the same changes', async () => {
      const store = await opened({
        addDeadLetters: [
          letter({ key: 'a', position: '9-0' }),
          letter({ key: 'b', position: '9-0' }),
          letter({ key: 'a' }),
        ],
      })
      await store.commit({
        addDeadLetters: [letter({ key: 'a', position: '10-0' }), letter({ key: 'a', position: '10-1' })],
        outdateDeadLetters: new Map([['a', '10-1']]),
      })
      const letters = await store.deadLetters({ limit: 9 })
      expect(letters.map(({ outdatedBy }) => outdatedBy)).toEqual([
        '10-1',
        undefined,
        undefined,
        '10-1',
        undefined,
      ])
    })
  })

  describe('a commit', () => {
    it('happens as a whole, and deletes after it puts', async () => {
      const store = await opened({
        putEntities: [
          { key: 'a', stixId: '1' },
          { key: 'a', stixId: '2' },
          { key: 'b', stixId: '1' },
        ],
        deleteEntities: ['b'],
        addDeadLetters: [letter(), letter()],
        removeDeadLetters: [1],
      })
      expect((await store.entities({ limit: 9 })).map(({ key, stixId }) => [key, stixId])).toEqual([
        ['a', '2'],
      ])
      expect(await letterIds(store)).toEqual([2])
    })

    it.each([true, false])(
      'that fails half-way changes nothing, and the next one works (durable: %s)',
      async (durable) => {
        const store = await opened({ values: new Map([['a', 'before']]) })
        const failing = {
          *[Symbol.iterator]() {
            yield { key: 'k', stixId: 's' }
            throw new Error('no more')
          },
        }
        const changes = {
          values: new Map([['a', 'after']]),
          addDeadLetters: [letter()],
          putEntities: failing,
          durable,
        }
        await expect(store.commit(changes)).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
        expect(await store.value('a')).toBe('before')
        expect([await store.countEntities(), await store.countDeadLetters()]).toEqual([0, 0])
        await store.commit({ ...changes, putEntities: [{ key: 'k', stixId: 's' }] })
        expect(await store.value('a')).toBe('after')
      },
    )

    it('of nothing works, durable or not', async () => {
      const store = await opened({}, { durable: true }, { values: new Map(), putEntities: [] })
      expect(await store.countEntities()).toBe(0)
    })
  })
}
