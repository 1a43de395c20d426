import { expect, test } from 'vitest'
import { MemoryStore, type ListedItem } from 'opencti-stream-connector'
import {
  buildIndicator,
  buildMalware,
  buildRelationship,
  openCtiPropertiesOf,
  type Simulator,
} from 'opencti-stream-connector/testing'
import { stateDirectory } from '../fixtures/state-directory.ts'
import { makeMirror, Target, type Mirror, type MirrorOptions } from '../fixtures/mirror.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

type Options = Partial<MirrorOptions> & { env?: Record<string, string>; isRouted?: boolean }

/** A mirror that has brought `count` malwares to its target, stopped again when `isStopped`. */
async function onStage(count: number, options: Options = {}) {
  const simulator = await startSimulator()
  const target = options.target ?? new Target()
  const malwares = Array.from({ length: count }, (_, index) =>
    simulator.create(buildMalware({ seed: index + 1 })),
  )
  const onlyMalwares = { CONNECTOR_FILTER_TYPES: 'malware,relationship', ...options.env }
  const start = async (more: Options = {}) => {
    const { env, ...rest } = { ...options, ...more }
    const mirror = makeMirror(simulator, { ...rest, target, env: { ...onlyMalwares, ...env } })
    await mirror.start()
    await quiet(mirror)
    return mirror
  }
  const mirror = await start()
  await until('everything in the target', () => target.ours.length === count)
  await quiet(mirror)
  return { simulator, target, malwares, mirror, start }
}

async function quiet(mirror: Mirror): Promise<void> {
  await until('the end of all work', () => {
    const { catchingUp, inFlight } = mirror.status()
    return !catchingUp && inFlight === 0
  })
}

/** Deletes without an event: as a relationship goes with its end, and as what goes while nobody listens. */
function vanish(simulator: Simulator, id: string): void {
  simulator.faults.removeSilently(id)
}

const idOf = (object: { id: string }) => object.id

test('withdraws nothing if deletes are switched off, and asks nobody to look', async () => {
  const off = { CONNECTOR_LIVE_STREAM_LISTEN_DELETE: 'false', CONNECTOR_RECONCILE_ORPHANS: 'delete' }
  const { mirror, malwares, simulator, target } = await onStage(5, { env: off })
  for (const { id } of malwares.slice(0, 4)) vanish(simulator, id)
  const report = await mirror.reconcile({ force: true })
  expect(report).toMatchObject({ gone: 4, withdrawn: 0, skipped: 4, refused: [] })
  expect(target.ours).toHaveLength(5)
})

test('finds nothing to do when target and platform agree', async () => {
  const { mirror } = await onStage(5)
  const before = mirror.calls.length
  const report = await mirror.reconcile()
  expect(report).toMatchObject({ known: 5, listed: 5, gone: 0, missing: 0, orphans: 0, refused: [] })
  expect(mirror.calls).toHaveLength(before)
  expect(mirror.status().reconcile).toEqual(report)
  expect(mirror.notices.at(-1)).toEqual({ kind: 'reconciled', report })
})

test('withdraws a relationship that went with its end without an event', async () => {
  const { simulator, target, malwares, mirror } = await onStage(3)
  const [source, other] = malwares
  const relation = simulator.create(buildRelationship(source!, 'related-to', other!, { seed: 50 }))
  await until('the relationship', () => target.ours.includes(relation.id))
  simulator.delete(source!.id)
  await until('the deletion', () => !target.ours.includes(source!.id))
  await quiet(mirror)
  expect(target.ours).toContain(relation.id)
  expect(await mirror.reconcile()).toMatchObject({ known: 3, gone: 1, withdrawn: 1, failed: 0 })
  expect(target.ours).toEqual(malwares.slice(1).map(idOf).toSorted())
  expect(mirror.calls.at(-1)).toBe(`delete ${relation.id} reconciled`)
})

test("gives the hook the internal id and the target's id of what it withdraws", async () => {
  const seen: unknown[] = []
  const { simulator, malwares, mirror } = await onStage(3, {
    onCall: (hook, { internalId, externalId, reason, entity }) => {
      if (hook === 'delete') seen.push({ internalId, externalId, reason, type: entity.type })
    },
  })
  vanish(simulator, malwares[0]!.id)
  await mirror.reconcile()
  expect(seen).toEqual([
    {
      internalId: openCtiPropertiesOf(malwares[0]!).id,
      externalId: expect.stringMatching(/^target-/) as unknown,
      reason: 'reconciled',
      type: 'malware',
    },
  ])
})

test("recreates what the target has lost, in the platform's current state", async () => {
  const { target, malwares, mirror } = await onStage(4)
  const lost = malwares[2]!.id
  target.lose(lost)
  expect(await mirror.reconcile()).toMatchObject({ missing: 1, recreated: 1, gone: 0 })
  expect(target.ours).toEqual(malwares.map(idOf).toSorted())
  expect(mirror.calls.at(-1)).toBe(`create ${lost}`)
  // The new id is known: the next event is an update of it, and the next comparison finds nothing.
  expect(await mirror.reconcile()).toMatchObject({ missing: 0, gone: 0, orphans: 0 })
})

test('an event that came before a repair is not delivered again after a restart', async () => {
  const state = stateDirectory()
  const { simulator, target, malwares, mirror, start } = await onStage(2, { store: state.make() })
  simulator.update(malwares[0]!.id, { description: 'changed' })
  await until('the update', () => mirror.calls.some((call) => call.startsWith('update')))
  await quiet(mirror)
  target.lose(malwares[0]!.id)
  await mirror.reconcile()
  await mirror.stop()
  const after = await start({ store: state.make() })
  expect(after.calls).toEqual([])
  expect(target.ours).toEqual(malwares.map(idOf).toSorted())
})

test('does not bring back what no longer passes the filter, and forgets it', async () => {
  const { simulator, target, malwares, mirror, start } = await onStage(3, { store: new MemoryStore() })
  await mirror.stop()
  vanish(simulator, malwares[0]!.id)
  target.lose(malwares[0]!.id)
  simulator.load([{ ...malwares[0]!, labels: ['outside'] }])
  const after = await start({ env: { CONNECTOR_FILTER_LABELS_NONE: 'outside' } })
  expect(await after.reconcile()).toMatchObject({ missing: 1, recreated: 1 })
  expect(after.calls.some((call) => call.startsWith('create'))).toBe(false)
  expect(await after.reconcile()).toMatchObject({ known: 2, missing: 0 })
})

test('never deletes what it does not know, and only reports it', async () => {
  const { target, mirror } = await onStage(2)
  target.held.set('foreign', { stixId: 'malware--1', isOurs: false })
  const ours = { stixId: 'malware--2', isOurs: true }
  target.held.set('ours', ours)
  const report = await mirror.reconcile()
  expect(report).toMatchObject({ orphans: 2, orphansWithdrawn: 0 })
  expect(report.orphanIds.toSorted()).toEqual(['foreign', 'ours'])
  expect(target.held.has('foreign') && target.held.has('ours')).toBe(true)
})

test('deletes orphans on request, but only ours that are gone on the platform', async () => {
  const { simulator, target, mirror } = await onStage(2, { env: { CONNECTOR_RECONCILE_ORPHANS: 'delete' } })
  const still = simulator.create(buildIndicator('ipv4', { seed: 900 }))
  target.held.set('foreign', { stixId: 'malware--1', isOurs: false })
  target.held.set('gone', { stixId: 'malware--2', isOurs: true })
  target.held.set('still', { stixId: still.id, isOurs: true })
  expect(await mirror.reconcile()).toMatchObject({ orphans: 3, orphansWithdrawn: 1 })
  expect(target.held.has('gone')).toBe(false)
  expect(target.held.has('foreign') && target.held.has('still')).toBe(true)
})

test('does nothing if the list breaks off', async () => {
  const { simulator, target, malwares, mirror } = await onStage(5, {
    list: async function* (held): AsyncGenerator<ListedItem> {
      yield* [...held.held.keys()].slice(0, 2)
      throw new Error('the connection to the target broke')
    },
  })
  vanish(simulator, malwares[0]!.id)
  const before = mirror.calls.length
  await expect(mirror.reconcile()).rejects.toMatchObject({
    code: 'RECONCILE_FAILED',
    message: expect.stringContaining('the connection to the target broke') as unknown,
  })
  expect(mirror.calls).toHaveLength(before)
  expect(target.ours).toHaveLength(5)
  expect(mirror.notices.at(-1)).toMatchObject({ kind: 'reconcile-failed' })
})

test.each([
  ['something that is no list', () => 5],
  ['an item without an id', () => [{}]],
  ['an item that is nothing', () => [null]],
])('refuses %s with a message', async (_, list) => {
  const { mirror } = await onStage(1, { list: list as never })
  await expect(mirror.reconcile()).rejects.toMatchObject({ code: 'HOOK_RESULT' })
})

test('does nothing if the platform is down', async () => {
  const { simulator, target, malwares, mirror } = await onStage(3)
  vanish(simulator, malwares[0]!.id)
  simulator.faults.failGraphql(20, { status: 503 })
  await expect(mirror.reconcile()).rejects.toMatchObject({ code: 'PLATFORM_UNREACHABLE' })
  expect(target.ours).toHaveLength(3)
})

test('does not empty the target if the token has lost its rights', async () => {
  const { simulator, target, malwares, mirror } = await onStage(30)
  for (const { id } of malwares.slice(0, 20)) vanish(simulator, id)
  const report = await mirror.reconcile()
  expect(report).toMatchObject({ gone: 20, withdrawn: 0, refused: ['withdraw'] })
  expect(target.ours).toHaveLength(30)
  expect(await mirror.reconcile({ force: true })).toMatchObject({ gone: 20, withdrawn: 20, refused: [] })
  expect(target.ours).toHaveLength(10)
})

test('never believes that everything is gone, however little there is', async () => {
  const { simulator, target, malwares, mirror } = await onStage(2)
  for (const { id } of malwares) vanish(simulator, id)
  expect(await mirror.reconcile()).toMatchObject({ gone: 2, withdrawn: 0, refused: ['withdraw'] })
  expect(target.ours).toHaveLength(2)
})

test('does not fill a target again unasked if it lists nothing', async () => {
  const { target, mirror } = await onStage(3, { list: () => [] })
  expect(await mirror.reconcile()).toMatchObject({ missing: 3, recreated: 0, refused: ['recreate'] })
  expect(target.ours).toHaveLength(3)
})

test('an event that arrives while a repair is on its way wins', async () => {
  const target = new Target()
  const listing = Promise.withResolvers<void>()
  let lost = ''
  const asked = Promise.withResolvers<void>()
  const { simulator, malwares, mirror } = await onStage(4, {
    target,
    list: async function* (held): AsyncGenerator<ListedItem> {
      const items = [...held.held].flatMap(([id, { stixId }]) => (stixId === lost ? [] : [id]))
      asked.resolve()
      await listing.promise
      yield* items
    },
  })
  lost = malwares[0]!.id
  // It looks lost, and meanwhile an event deletes it for good; another one looks lost, and is changed.
  const report = mirror.reconcile()
  await asked.promise
  simulator.delete(malwares[0]!.id)
  await until('the deletion', () => target.ours.length === 3)
  await quiet(mirror)
  listing.resolve()
  expect(await report).toMatchObject({ missing: 0, gone: 0, recreated: 0, withdrawn: 0 })
  expect(target.ours).toHaveLength(3)
})

test('drops a repair that waits behind an event of its entity', async () => {
  const target = new Target()
  const held = Promise.withResolvers<void>()
  let isHolding = false
  const { simulator, malwares, mirror } = await onStage(4, {
    target,
    onCall: async (hook) => {
      if (hook === 'update' && isHolding) await held.promise
    },
  })
  const [first] = malwares
  isHolding = true
  simulator.update(first!.id, { description: 'changed' })
  await until('the update at work', () => mirror.status().inFlight === 1)
  target.lose(first!.id)
  const report = mirror.reconcile()
  await until('the question for its state', () =>
    simulator.requests.some((request) => request.kind === 'graphql' && request.document.includes('toStix')),
  )
  held.resolve()
  // The update finds that the target has lost it, and creates it.
  expect(await report).toMatchObject({ missing: 1, recreated: 0, overtaken: 1 })
  expect(target.ours).toEqual(malwares.map(idOf).toSorted())
  expect(target.held.size).toBe(4)
})

test('drops it even if the comparison breaks off before, as in a stop', async () => {
  const target = new Target()
  const held = Promise.withResolvers<void>()
  const { simulator, malwares, mirror } = await onStage(4, {
    target,
    onCall: (hook) => (hook === 'update' ? held.promise : undefined),
  })
  const [first] = malwares
  simulator.update(first!.id, { description: 'changed' })
  await until('the update at work', () => mirror.status().inFlight === 1)
  target.lose(first!.id)
  const { bytesInFlight } = mirror.status()
  const report = mirror.reconcile()
  await until('the repair behind it', () => mirror.status().bytesInFlight > bytesInFlight)
  const stopped = mirror.stop()
  await expect(report).rejects.toThrow()
  held.resolve()
  await stopped
  expect([...target.held.values()].filter(({ stixId }) => stixId === first!.id)).toMatchObject([
    { description: 'changed' },
  ])
})

test('counts what the target refuses, makes no dead letter, and retries it in the next comparison', async () => {
  let isBad = true
  const { simulator, target, malwares, mirror } = await onStage(3, {
    onCall: (hook) => {
      if (hook === 'delete' && isBad) throw Object.assign(new Error('no'), { status: 422 })
    },
  })
  vanish(simulator, malwares[0]!.id)
  expect(await mirror.reconcile()).toMatchObject({ gone: 1, withdrawn: 0, failed: 1 })
  expect(mirror.status()).toMatchObject({ deadLettersKept: 0, deadLettered: 0 })
  isBad = false
  expect(await mirror.reconcile()).toMatchObject({ gone: 1, withdrawn: 1 })
  expect(target.ours).toHaveLength(2)
})

test('leaves the counters to the stream', async () => {
  const { simulator, target, malwares, mirror } = await onStage(4)
  const { received, delivered } = mirror.status()
  vanish(simulator, malwares[0]!.id)
  target.lose(malwares[1]!.id)
  await mirror.reconcile()
  expect(mirror.status()).toMatchObject({ received, delivered, inFlight: 0, bytesInFlight: 0 })
})

test('compares after the start, and at each interval', async () => {
  const env = { CONNECTOR_RECONCILE_AT_START: 'true', CONNECTOR_RECONCILE_EVERY_MS: '60000' }
  const { target, malwares, mirror } = await onStage(3, { env })
  const comparisons = () => mirror.notices.filter(({ kind }) => kind === 'reconciled').length
  await until('the first comparison', () => comparisons() === 1)
  target.lose(malwares[0]!.id)
  await until('the next comparison', () => comparisons() >= 2)
  expect(target.ours).toHaveLength(3)
})

test('works before the start too, on the state of an earlier run', async () => {
  const state = stateDirectory()
  const { simulator, target, malwares, mirror } = await onStage(3, { store: state.make() })
  await mirror.stop()
  vanish(simulator, malwares[0]!.id)
  const other = makeMirror(simulator, { target, store: state.make() })
  expect(await other.reconcile()).toMatchObject({ known: 3, withdrawn: 1 })
  expect(target.ours).toHaveLength(2)
})

test('a stop ends a running comparison, and the next one finishes the work', async () => {
  const state = stateDirectory()
  const hanging = Promise.withResolvers<void>()
  let isHanging = false
  const { simulator, target, malwares, mirror } = await onStage(8, {
    store: state.make(),
    env: { CONNECTOR_STOP_GRACE_MS: '100' },
    onCall: (hook, { signal }) => {
      if (hook !== 'delete' || !isHanging) return undefined
      signal.addEventListener('abort', () => hanging.reject(signal.reason as Error))
      return hanging.promise
    },
  })
  hanging.promise.catch(() => {})
  for (const { id } of malwares.slice(0, 4)) vanish(simulator, id)
  isHanging = true
  const report = mirror.reconcile()
  report.catch(() => {})
  await until('a repair at work', () => mirror.status().bytesInFlight > 0)
  await mirror.stop()
  await expect(report).rejects.toMatchObject({ code: 'LIFECYCLE' })
  const after = makeMirror(simulator, { target, store: state.make() })
  expect(await after.reconcile()).toMatchObject({ gone: 4, withdrawn: 4 })
  expect(target.ours).toEqual(malwares.slice(4).map(idOf).toSorted())
})

test.each([
  ['is never there', () => new Promise(() => {})],
  [
    'never ends',
    async function* () {
      yield 'T1'
      await new Promise(() => {})
    },
  ],
])('a list that %s delays neither a stop nor whoever asked for the comparison', async (_, list) => {
  const called = Promise.withResolvers<void>()
  const { mirror } = await onStage(1, {
    list: (() => {
      called.resolve()
      return list()
    }) as never,
  })
  const reports = [mirror.reconcile(), mirror.reconcile()]
  const ends = Promise.allSettled(reports)
  await called.promise
  await mirror.stop()
  expect(await ends).toMatchObject(reports.map(() => ({ status: 'rejected', reason: { code: 'LIFECYCLE' } })))
})

test('requires an id map', async () => {
  const { mirror } = await onStage(0, { env: { CONNECTOR_ID_MAP: 'false' } })
  await expect(mirror.reconcile()).rejects.toMatchObject({ code: 'RECONCILE_FAILED' })
})

test('compares each route separately', async () => {
  const { simulator, target, malwares, mirror } = await onStage(0, {
    isRouted: true,
  })
  const made = [1, 2, 3].map((seed) => simulator.create(buildMalware({ seed })))
  await until('everything at both', () => target.held.size === 6)
  await quiet(mirror)
  expect(malwares).toEqual([])
  // The target has lost the first at one of the two, and nobody told that the last is gone.
  const [lostId] = [...target.held].find(([, { stixId }]) => stixId === made[0]!.id)!
  target.held.delete(lostId)
  vanish(simulator, made[2]!.id)
  expect(await mirror.reconcile()).toMatchObject({
    known: 6,
    missing: 1,
    recreated: 1,
    gone: 2,
    withdrawn: 2,
  })
  expect(target.ours).toEqual([made[0]!, made[0]!, made[1]!, made[1]!].map(idOf).toSorted())
})
