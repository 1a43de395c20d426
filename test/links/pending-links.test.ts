import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PendingLinks, type PendingLink } from '../../src/links/pending-links.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'

const linkTo = (externalId: string): PendingLink => ({
  id: 'one',
  type: 'malware',
  attempts: 0,
  reference: { source_name: 'SIEM', external_id: externalId },
})

async function opened(): Promise<{ store: MemoryStore; pending: PendingLinks; unreadable: number[] }> {
  const store = new MemoryStore()
  await store.open('owner')
  const unreadable: number[] = []
  const pending = new PendingLinks((count) => unreadable.push(count))
  await pending.open(store)
  return { store, pending, unreadable }
}

test('a link that came while an older one of its entity was being written stays', async () => {
  const { pending } = await opened()
  await pending.add('one', linkTo('S1'))
  const [key, older] = (await pending.take())!
  await pending.add('one', linkTo('S2'))
  pending.giveBack(key, older, 1)
  expect(pending.done(key, older)).toBe(false)
  const newer = (await pending.take())!
  expect(newer).toEqual(['one', linkTo('S2')])
  expect(pending.done(...newer)).toBe(true)
  expect(pending.size).toBe(0)
})

test('loses no link, brings none back, and hands none out twice, across failed commits and restarts', async () => {
  const key = fc.integer({ min: 0, max: 9 }).map(String)
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key }),
    fc.record({ do: fc.constant('remove' as const), key }),
    fc.record({ do: fc.constantFrom('take', 'done', 'again', 'commit', 'fail', 'restart') }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { store, pending: first } = await opened()
      let pending = first
      /** What has to be there by now. */
      const wanted = new Map<string, PendingLink>()
      const taken: [string, PendingLink][] = []
      let isUnsure = false
      let count = 0
      const commit = async () => {
        await store.commit({ values: pending.values(isUnsure) })
        isUnsure = false
      }
      for (const each of steps) {
        if (each.do === 'add' && 'key' in each) {
          const link = linkTo(`S${count++}`)
          await pending.add(each.key, link)
          wanted.set(each.key, link)
        } else if (each.do === 'remove' && 'key' in each) {
          expect(pending.remove(each.key)).toBe(wanted.delete(each.key))
        } else if (each.do === 'take') {
          const next = await pending.take()
          if (next === undefined) continue
          expect(next[1]).toEqual(wanted.get(next[0]))
          taken.push(next)
        } else if (each.do === 'done' && taken.length > 0) {
          const [done, link] = taken.shift()!
          const isWanted = wanted.get(done)?.reference.external_id === link.reference.external_id
          expect(pending.done(done, link)).toBe(isWanted)
          if (isWanted) wanted.delete(done)
        } else if (each.do === 'again' && taken.length > 0) {
          const [again, link] = taken.shift()!
          pending.giveBack(again, link)
        } else if (each.do === 'commit') {
          await commit()
        } else if (each.do === 'fail') {
          pending.values(isUnsure)
          isUnsure = true
        } else if (each.do === 'restart') {
          await commit()
          taken.length = 0
          pending = new PendingLinks(() => {})
          await pending.open(store)
        }
        expect(pending.size).toBe(wanted.size)
      }
      await commit()
      for (const [key, link] of taken) pending.giveBack(key, link)
      const left = new Map<string, PendingLink>()
      for (let next = await pending.take(); next !== undefined; next = await pending.take()) left.set(...next)
      expect(left).toEqual(wanted)
      const names = [...(await store.values({ prefix: 'link:', limit: 99 })).keys()]
      expect(names).toEqual([...wanted.keys()].toSorted().map((name) => `link:${name}`))
    }),
    { numRuns: 300 },
  )
})

test('leaves out unreadable links, and says how many', async () => {
  const { store, pending, unreadable } = await opened()
  await store.commit({
    values: new Map([
      ['link:a', '{'],
      ['link:b', JSON.stringify(linkTo('S1'))],
      ['link:c', '[]'],
    ]),
  })
  await pending.open(store)
  expect(await pending.take()).toEqual(['b', linkTo('S1')])
  expect(unreadable).toEqual([2])
  expect(pending.size).toBe(1)
  expect([...pending.values(false)]).toEqual([
    ['link:a', undefined],
    ['link:c', undefined],
  ])
})
