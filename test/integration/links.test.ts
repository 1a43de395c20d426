import { expect, test } from 'vitest'
import { type EntityLink, type Entity, type EventContext } from 'opencti-stream-connector'
import {
  buildIndicator,
  buildMalware,
  buildObservable,
  openCtiPropertiesOf,
  type Simulator,
  type StixObject,
} from 'opencti-stream-connector/testing'
import { ask, samplesOf } from '../fixtures/ask.ts'
import { stateDirectory } from '../fixtures/state-directory.ts'
import { Recorder, type RecorderOptions } from '../fixtures/recorder.ts'
import { caughtUp, makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

type Link = (externalId: string | undefined, entity: Entity) => EntityLink | undefined

/** A recorder whose target gives ids, and that writes links back. */
class Linker extends Recorder {
  override link: Link
  #last = 0

  constructor(options: RecorderOptions & { link?: Link }) {
    const { link, ...rest } = options
    super(rest)
    this.link =
      link ?? ((id) => ({ source_name: 'SIEM', url: `https://siem.example/${id}`, external_id: id! }))
  }

  override async create(item: Entity, context: EventContext): Promise<never> {
    await super.create(item, context)
    return `S${++this.#last}` as never
  }
}

type Options = RecorderOptions & { link?: Link; env?: Record<string, string> }

async function startLinker(simulator: Simulator, options: Options = {}): Promise<Linker> {
  const metrics = {
    CONNECTOR_EXPOSE_METRICS: 'true',
    CONNECTOR_METRICS_PORT: '0',
    CONNECTOR_METRICS_HOST: '127.0.0.1',
  }
  const linker = makeRecorder(simulator, { ...options, env: { ...metrics, ...options.env } }, Linker)
  await linker.start()
  await caughtUp(linker)
  return linker
}

/** A simulator whose connector may change knowledge. */
async function platform(
  more: string[] = ['KNOWLEDGE_KNUPDATE'],
): Promise<{ simulator: Simulator; env: Record<string, string> }> {
  const simulator = await startSimulator()
  const user = simulator.users.add({
    id: '0d3c1a52-0000-4000-8000-000000000001',
    capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'TAXIIAPI', 'MODULES', ...more],
  })
  return { simulator, env: { OPENCTI_TOKEN: user.token } }
}

/** Waits until no link waits to be written, and what was written has been answered. */
async function linksDone(linker: Linker): Promise<void> {
  await until(
    'the end of all links',
    async () => {
      const { body } = await ask(`${linker.status().endpoints.metrics}/metrics`)
      return samplesOf(body).get('opencti_stream_links_pending') === 0
    },
    60_000,
  )
}

const own = '0d3c1a52-0000-4000-8000-000000000001'

function referencesAt(simulator: Simulator, { id }: StixObject): string[] {
  const text = JSON.stringify(simulator.entity(id))
  return [...text.matchAll(/"https:\/\/siem\.example\/(S\d+)"/g)].map(([, name]) => name!)
}

test('writes back where an entity is, for indicators and observables, and skips the echo', async () => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, { env })
  const indicator = simulator.create(buildIndicator('domain', { seed: 1 }))
  const observable = simulator.create(buildObservable('ipv4-addr', { seed: 2 }))
  await until('both links', () =>
    [indicator, observable].every((each) => referencesAt(simulator, each).length === 1),
  )
  // Their echoes: two references as objects, two updates.
  await until('the echoes', () => linker.status().skippedByReason['own-change'] === 4)
  expect(linker.callsOf(indicator.id)).toEqual(['create'])
  expect(linker.callsOf(observable.id)).toEqual(['create'])
  expect(simulator.entities().filter(({ type }) => type === 'external-reference')).toHaveLength(2)
})

test('links once: not at an update, and not if the entity already has the link', async () => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, {
    env,
    link: () => ({ source_name: 'SIEM', url: 'https://siem.example/S0' }),
  })
  const malware = simulator.create(buildMalware({ seed: 1 }))
  await until('the link', () => referencesAt(simulator, malware).length === 1)
  await until('the echo', () => linker.status().skippedByReason['own-change'] === 2)
  simulator.update(malware.id, { description: 'changed', external_references: [] })
  const there = { source_name: 'SIEM', url: 'https://siem.example/S0' }
  const other = simulator.create(buildMalware({ seed: 2, external_references: [there] }))
  await until(
    'the hooks',
    () => linker.callsOf(malware.id).length === 2 && linker.callsOf(other.id).length === 1,
  )
  const last = simulator.create(buildMalware({ seed: 3 }))
  await until('the last link', () => referencesAt(simulator, last).length === 1)
  expect(referencesAt(simulator, malware)).toEqual([])
  expect(
    simulator.requests.filter((each) => each.kind === 'graphql' && each.operation === 'externalReferenceAdd'),
  ).toHaveLength(2)
})

test('hides nothing that a person does as the same user', async () => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, { env })
  const malware = simulator.create(buildMalware({ seed: 1 }))
  await until('the link', () => referencesAt(simulator, malware).length === 1)
  await until('the echo', () => linker.status().skippedByReason['own-change'] === 2)
  simulator.update(malware.id, { description: 'by hand' }, { by: own })
  const more = [
    ...(simulator.entity(malware.id)!['external_references'] as object[]),
    { source_name: 'by hand', url: 'https://a.example' },
  ]
  simulator.update(malware.id, { external_references: more }, { by: own })
  await until('both updates', () => linker.callsOf(malware.id).length === 3)
})

test('no event waits for the platform, but a link does', async () => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, { env })
  simulator.faults.failGraphql(3, { status: 503 })
  const malware = simulator.create(buildMalware({ seed: 1 }))
  await until('the call', () => linker.status().delivered > 0 && linker.status().inFlight === 0)
  await until('the link', () => referencesAt(simulator, malware).length === 1)
  expect(linker.notices.some(({ kind }) => kind === 'link-failed')).toBe(false)
})

test('reports a user without the right once; the links wait, even in the state, until it is given', async () => {
  const { simulator, env } = await platform([])
  const state = stateDirectory()
  const linker = await startLinker(simulator, { env, store: state.make() })
  const made = [1, 2, 3].map((seed) => simulator.create(buildMalware({ seed })))
  await until('the refusal', () => linker.notice('links-refused'))
  await until('the hooks', () => made.every(({ id }) => linker.callsOf(id).length === 1))
  expect(linker.notice('links-refused')!.error.message).toContain('KNOWLEDGE_KNUPDATE')
  expect(linker.notices.filter(({ kind }) => kind === 'links-refused')).toHaveLength(1)
  await linker.stop()
  const admin = { OPENCTI_TOKEN: simulator.admin.token }
  const after = await startLinker(simulator, { env: admin, store: state.make() })
  await until('the links', () => made.every((each) => referencesAt(simulator, each).length === 1))
  await linksDone(after)
  await after.stop()
  // What is done is not kept.
  const store = state.make()
  await store.open(simulator.connectorId)
  expect(await store.countValues('link:')).toBe(0)
})

test('drops a link whose entity is gone and says so, and writes the others', async () => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, {
    env,
    onCall: ({ hook, entityId }) => {
      if (hook === 'create' && entityId === gone) simulator.faults.removeSilently(gone)
    },
  })
  const doomed = buildMalware({ seed: 1 })
  const gone = doomed.id
  simulator.create(doomed)
  const other = simulator.create(buildMalware({ seed: 2 }))
  await until('the other link', () => referencesAt(simulator, other).length === 1)
  await until('the notice', () => linker.notice('link-failed'))
  expect(linker.notices.filter(({ kind }) => kind === 'link-failed')).toHaveLength(1)
})

test.each([
  [
    'throws',
    () => {
      throw new Error('no link')
    },
  ],
  ['answers with something else', () => ({ url: 'https://siem.example' })],
] as const)('a hook that %s costs no event', async (_, link) => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, { env, link: link as never })
  const malware = simulator.create(buildMalware({ seed: 1 }))
  await until('the call', () => linker.callsOf(malware.id).length === 1)
  await until('the notice', () => linker.notice('link-failed'))
  expect(linker.status()).toMatchObject({ deadLettered: 0 })
})

test.each([
  ['no address', { url: null, external_id: 'S1' }, { external_id: 'S1' }],
  ['an id that is a number', { external_id: 42 }, { external_id: '42' }],
  ['an address that is none', { url: new URL('https://siem.example/S1') }, undefined],
  ['an address without end', { url: 'x'.repeat(100_000) }, undefined],
] as const)(
  'a hook that answers with %s does not keep the connector from starting again',
  async (_, fields, kept) => {
    const { simulator, env } = await platform([])
    const state = stateDirectory()
    const link = (() => ({ source_name: 'SIEM', ...fields })) as never
    const linker = await startLinker(simulator, { env, link, store: state.make() })
    const malware = simulator.create(buildMalware({ seed: 1 }))
    await until('the call', () => linker.callsOf(malware.id).length === 1)
    await until('what became of it', () =>
      linker.notice(kept === undefined ? 'link-failed' : 'links-refused'),
    )
    await linker.stop()
    const admin = { OPENCTI_TOKEN: simulator.admin.token }
    await startLinker(simulator, { env: admin, link: () => undefined, store: state.make() })
    const references = () => simulator.entity(malware.id)!['external_references']
    if (kept === undefined) expect(references() ?? []).toEqual([])
    else
      await until('the link', () =>
        JSON.stringify(references() ?? []).includes(JSON.stringify(kept).slice(1, -1)),
      )
  },
)

test('drops links that cannot be read from the state, and writes the others', async () => {
  const { simulator, env } = await platform()
  const state = stateDirectory()
  const malware = simulator.create(buildMalware({ seed: 1 }))
  const store = state.make()
  await store.open(simulator.connectorId)
  const reference = { source_name: 'SIEM', url: 'https://siem.example/S7' }
  const good = { id: malware.id, type: 'malware', attempts: 0, reference }
  const bad = { ...good, reference: { ...reference, url: null } }
  await store.commit({
    values: new Map([
      ['link:a', JSON.stringify(bad)],
      ['link:b', JSON.stringify(good)],
      ['link:c', '{'],
    ]),
  })
  await store.close()
  const linker = await startLinker(simulator, { env, link: () => undefined, store: state.make() })
  await until('the good one', () => referencesAt(simulator, malware).length === 1)
  expect(linker.notice('link-failed')).toMatchObject({
    error: expect.stringContaining('2 links waiting') as string,
  })
})

test('knows the entity by its internal id', async () => {
  const { simulator, env } = await platform()
  await startLinker(simulator, { env })
  const malware = simulator.create(buildMalware({ seed: 1 }))
  await until('the link', () => referencesAt(simulator, malware).length === 1)
  const edit = simulator.requests.findLast(
    (each) => each.kind === 'graphql' && each.operation === 'stixDomainObjectEdit',
  )
  expect(edit).toMatchObject({ variables: { id: openCtiPropertiesOf(malware).id } })
})

test('writes no link for an entity that left the target before', async () => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, { env })
  simulator.faults.failGraphql(1000, { status: 503 })
  const [kept, ...gone] = [1, 2, 3].map((seed) => simulator.create(buildMalware({ seed })))
  await until('the creates', () => [kept!, ...gone].every(({ id }) => linker.callsOf(id).length === 1))
  for (const { id } of gone) simulator.delete(id)
  await until('the deletes', () => gone.every(({ id }) => linker.callsOf(id).length === 2))
  // Three may still be under way, which were asked for before. More go one at a time, as the platform is away.
  const asked = simulator.requests.length
  const isLink = (each: { kind: string; operation?: string | undefined }) =>
    each.kind === 'graphql' && each.operation === 'externalReferenceAdd'
  await until('a try after those', () => simulator.requests.slice(asked).filter(isLink).length > 3)
  simulator.faults.clear()
  await linksDone(linker)
  expect(referencesAt(simulator, kept!)).toHaveLength(1)
  expect(linker.notices.filter(({ kind }) => kind === 'link-failed')).toEqual([])
  expect(simulator.entities().filter(({ type }) => type === 'external-reference')).toHaveLength(1)
})

test('gives up a hook that never returns at the time limit of hooks, at no cost to the event', async () => {
  const { simulator, env } = await platform()
  const linker = await startLinker(simulator, {
    env: { ...env, CONNECTOR_HOOK_TIMEOUT_MS: '500' },
    link: (() => new Promise(() => {})) as never,
  })
  const malware = simulator.create(buildMalware({ seed: 1 }))
  await until('the notice', () => linker.notice('link-failed'))
  expect(linker.notice('link-failed')!.error).toMatch(/^link\(\) took longer.*CONNECTOR_HOOK_TIMEOUT_MS/)
  simulator.delete(malware.id)
  await until('the delete', () => linker.callsOf(malware.id).length === 2)
  expect(linker.callsOf(malware.id)).toEqual(['create', 'delete:deleted'])
})

test('keeps every link while the platform is down, however many, across a restart, and then writes many at a time', async () => {
  const { simulator, env } = await platform()
  const state = stateDirectory()
  const linker = await startLinker(simulator, { env, store: state.make() })
  const count = 700
  simulator.faults.failGraphql(1e9, { status: 503 })
  const made = Array.from({ length: count }, (_, index) =>
    simulator.create(buildMalware({ seed: 100 + index })),
  )
  await until('the hooks', () => linker.status().delivered >= count)
  await linker.stop()
  simulator.faults.clear()
  const after = await startLinker(simulator, { env, store: state.make() })
  // A minute is no time at five a second, as it once was.
  await linksDone(after)
  expect(made.every((each) => referencesAt(simulator, each).length === 1)).toBe(true)
  expect([...linker.notices, ...after.notices].filter(({ kind }) => kind === 'link-failed')).toEqual([])
  await after.stop()
  const store = state.make()
  await store.open(simulator.connectorId)
  expect(await store.countValues('link:')).toBe(0)
  await store.close()
}, 120_000)
