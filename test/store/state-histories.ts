import * as fc from 'fast-check'
import { type StateChanges, type StateStore } from '../../src/store/state-store.ts'

const keys = ['a', 'b', 'c@chat', 'é', '😀', 'z', 'a0']
const ids = ['id-1', 'id-2', '', 'a']
const names = ['link:a', 'link:b', 'state', 'link']

const key = fc.constantFrom(...keys)
const position = fc.tuple(fc.nat(12), fc.nat(2)).map(([ms, seq]) => `${ms}-${seq}`)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const few = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 4 })
const mapOf = <T>(from: fc.Arbitrary<string>, to: fc.Arbitrary<T>) =>
  few(fc.tuple(from, to)).map((pairs) => new Map(pairs))
const letterId = fc.integer({ min: 1, max: 12 })

/** One commit of random changes, which meet others of the history: there are few keys. */
const changes: fc.Arbitrary<StateChanges> = fc.record({
  values: mapOf(fc.constantFrom(...names), optional(fc.string())),
  putEntities: few(
    fc.record({
      key,
      stixId: fc.constantFrom('s', 'a'),
      route: optional(fc.constant('chat')),
      externalId: optional(fc.constantFrom(...ids)),
      position: optional(position),
      caughtUpMs: optional(fc.nat(5)),
      expiresAtMs: optional(fc.nat(5)),
    }),
  ),
  deleteEntities: few(key),
  putClaims: few(fc.record({ entity: key, key, item: fc.string() })),
  deleteClaims: few(fc.record({ entity: key, key })),
  putItems: few(fc.record({ key, externalId: optional(fc.constantFrom(...ids)), item: fc.string() })),
  deleteItems: few(key),
  forgetPositions: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
  putDepartures: mapOf(key, position),
  removeDepartures: few(key),
  addDeadLetters: few(
    fc.record({
      key: optional(key),
      route: optional(fc.constant('chat')),
      eventType: fc.constant('create'),
      entityId: optional(fc.constant('i')),
      entityType: optional(fc.constant('t')),
      position: optional(fc.oneof(position, fc.constant('none'))),
      attempts: fc.nat(3),
      firstAtMs: fc.nat(9),
      lastAtMs: fc.nat(9),
      error: fc.string(),
      data: fc.string({ unit: 'grapheme' }),
    }),
  ),
  removeDeadLetters: few(letterId),
  updateDeadLetters: few(
    fc.record({
      id: letterId,
      attempts: fc.nat(9),
      lastAtMs: fc.nat(9),
      error: fc.string(),
      answered: fc.constantFrom(undefined, 'requested' as const, 'forced' as const),
    }),
  ),
  outdateDeadLetters: mapOf(key, position),
  durable: fc.boolean(),
})

/** A commit, or a request of replays. */
export type StateStep =
  { readonly commit: StateChanges } | { readonly replay: Parameters<StateStore['requestReplay']>[0] }

export const stateHistory: fc.Arbitrary<StateStep[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: changes.map((commit) => ({ commit })) },
    {
      weight: 1,
      arbitrary: fc
        .record({ ids: optional(few(letterId)), force: fc.boolean() })
        .map((replay) => ({ replay })),
    },
  ),
  { minLength: 1, maxLength: 12 },
)

/** Everything that a store tells. Equal for two stores with the same history. */
export async function contentsOf(store: StateStore): Promise<unknown> {
  const byKey = <T extends { readonly key: string }>(found: readonly T[]) =>
    found.toSorted((one, other) => (one.key < other.key ? -1 : 1))
  const each = async <T>(of: readonly string[], ask: (one: string) => T | Promise<T>) =>
    Promise.all(of.map(async (one) => await ask(one)))
  return {
    values: await each(names, (name) => store.value(name)),
    links: [...(await store.values({ prefix: 'link:', limit: 9 }))],
    linkCount: await store.countValues('link:'),
    entities: await store.entities({ limit: 99 }),
    single: await each(keys, (one) => store.entity(one)),
    // An entity's own id belongs to no other, so a store need not find it there.
    at: await each(ids, async (id) =>
      byKey(await store.entitiesAt(id)).filter(
        (one) => one.externalId !== one.stixId && one.externalId !== one.key,
      ),
    ),
    expiring: await store.expiring({ atMs: 3, limit: 99 }),
    claims: await store.claims({ limit: 99 }),
    claimsOf: await each(keys, (entity) => store.claimsOf({ entity, afterKey: 'b', limit: 3 })),
    claimsOn: await each(keys, (on) => store.claimsOn({ key: on, afterEntity: 'b', limit: 3 })),
    items: await store.items({ afterKey: 'a', limit: 99 }),
    itemsAt: await each(ids, async (id) => byKey(await store.itemsAt(id))),
    departures: [...(await store.departures())].toSorted(),
    letters: await store.deadLetters({ limit: 99 }),
    replays: await store.deadLetters({ limit: 99, onlyReplay: true, withoutData: true }),
    newest: await store.deadLetters({ limit: 3, newestFirst: true, withoutData: true }),
    counts: [
      await store.countEntities(),
      await store.countClaims(),
      await store.countItems(),
      await store.countDeadLetters(),
    ],
  }
}
