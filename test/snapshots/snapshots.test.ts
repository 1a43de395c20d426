import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  itemsOf,
  MemoryStore,
  PermanentError,
  RetryableError,
  StreamConnector,
  type ConnectorDefaults,
  type ConnectorList,
  type ConnectorNotice,
  type Entity,
  type NoSettings,
  type SnapshotContext,
  type SnapshotJob,
  type ValueItem,
} from 'opencti-stream-connector'
import { buildIndicator, Simulator } from 'opencti-stream-connector/testing'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

/** A target that takes only whole lists, and what goes wrong with the next of them. */
class ListTarget {
  list: readonly string[] = []
  /** Each list that was offered, also when it was refused. */
  readonly offered: (readonly string[])[] = []
  readonly faults: ('refuse' | 'away' | 'half' | 'job')[] = []
  readonly jobs = new Map<string, { readonly list: readonly string[]; isDone: boolean; isLost?: boolean }>()

  async replaceAll(items: AsyncIterable<ValueItem>): Promise<SnapshotJob | void> {
    const fault = this.faults.shift()
    if (fault === 'away') throw new RetryableError('away')
    const list: string[] = []
    for await (const { key } of items) {
      list.push(key)
      if (fault === 'half' && list.length === 1) return
    }
    this.offered.push(list)
    if (fault === 'refuse') throw Object.assign(new Error('the list is too long'), { status: 413 })
    if (fault === 'job') {
      const job = `job-${this.jobs.size + 1}`
      this.jobs.set(job, { list, isDone: false })
      return { job }
    }
    this.list = list
  }

  jobDone(job: string): boolean {
    const found = this.jobs.get(job)
    if (found === undefined || found.isLost === true) throw new PermanentError('no such job')
    if (found.isDone) this.list = found.list
    return found.isDone
  }
}

class ListConnector extends StreamConnector<NoSettings, ValueItem> {
  static target: ListTarget

  transform(entity: Entity): readonly ValueItem[] {
    return itemsOf(entity).items
  }
}

class WholeListConnector extends ListConnector {
  override replaceAll(items: AsyncIterable<ValueItem>, _: SnapshotContext): Promise<SnapshotJob | void> {
    return (this.constructor as typeof ListConnector).target.replaceAll(items)
  }

  override jobDone(job: string): boolean {
    return (this.constructor as typeof ListConnector).target.jobDone(job)
  }
}

const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger }

interface DeskOptions {
  readonly snapshot?: ConnectorDefaults['snapshot']
  readonly lists?: Record<string, ConnectorList>
  readonly env?: Record<string, string>
}

/** A platform, a target and connectors between them, one after the other. */
async function desk({ snapshot = { minIntervalMs: 0 }, lists, env = {} }: DeskOptions = {}) {
  const simulator = await Simulator.start({ heartbeatMs: 20, idleReadMs: 20 })
  const target = new ListTarget()
  const store = new MemoryStore()
  const notices: ConnectorNotice[] = []
  const directory = await temporaryFolder()
  const start = async (state: MemoryStore = store) => {
    const Base: typeof ListConnector = lists === undefined ? WholeListConnector : ListConnector
    const Made = class extends Base {
      static override readonly target = target
      static override readonly lists = lists ?? {}
      static override readonly defaults = {
        name: 'Lists',
        filter: { types: ['indicator'] },
        snapshot,
      } satisfies ConnectorDefaults
    }
    const connector = new Made({
      env: simulator.environment({ CONNECTOR_STATE_DIR: directory, ...env }),
      directory,
      store: state,
      logger,
      onNotice: (notice) => notices.push(notice),
      random: () => 0,
    })
    onTestFinished(() => connector.stop())
    await connector.start()
    return connector
  }
  onTestFinished(() => simulator.close())
  let seed = 0
  const add = (count: number) =>
    Array.from({ length: count }, () => simulator.create(buildIndicator('domain', { seed: ++seed })))
  const wanted = () =>
    simulator
      .entities()
      .flatMap((object) => itemsOf(object as unknown as Entity).items.map(({ key }) => key))
      .toSorted()
  const settled = () => until('the list', () => target.list.join() === wanted().join())
  return { simulator, target, store, notices, start, add, wanted, settled, directory }
}

describe('a target that takes only the whole list', () => {
  it('gets the first list when everything that exists is known, sorted, and not before', async () => {
    const { add, start, target, wanted, settled } = await desk()
    add(1500)
    await start()
    await settled()
    expect(target.offered).toEqual([wanted()])
  })

  it('loses nothing of its list when the state is lost, also if the platform does not say that there are items', async () => {
    const { simulator, add, start, target, wanted, settled, notices } = await desk()
    add(20)
    const first = await start()
    await settled()
    await first.stop()
    const { holds: _, ...state } = JSON.parse(simulator.connector()!.state!) as Record<string, unknown>
    simulator.setState(simulator.connector()!.id, JSON.stringify(state))
    target.offered.length = 0
    await start(new MemoryStore())
    const [fresh] = add(1)
    simulator.delete(fresh!.id)
    await until('the claims', () => notices.some(({ kind }) => kind === 'claims-known'))
    await settled()
    for (const list of target.offered) expect(list).toEqual(expect.arrayContaining(wanted()))
  })

  it('gets every change, and no list that says the same again', async () => {
    const { simulator, add, start, target, wanted, settled } = await desk()
    const [first] = add(3)
    const connector = await start()
    await settled()
    simulator.update(first!.id, { name: 'another name' })
    await until('the event', () => connector.status().skippedByReason['unchanged'] === 1)
    simulator.delete(first!.id)
    await settled()
    expect(wanted()).toHaveLength(2)
    expect(target.offered).toHaveLength(2)
  })

  it('has an event delivered only when it has taken the list that the event is in', async () => {
    const { add, start, target, settled, notices } = await desk()
    add(2)
    target.faults.push('refuse', 'away', 'half')
    const connector = await start()
    await until('the refusal', () => notices.some(({ kind }) => kind === 'snapshot-failed'))
    const refused = connector.status()
    expect({ delivered: refused.delivered, inFlight: refused.inFlight }).toEqual({
      delivered: 0,
      inFlight: 2,
    })
    expect(refused.notReady[0]!.reason).toMatch('the list is not taken')
    expect(target.list).toEqual([])
    await settled()
    await until('the counters', () => connector.status().delivered === 2)
    expect(connector.status()).toMatchObject({ inFlight: 0, notReady: [] })
    const told = notices.flatMap((notice) => (notice.kind === 'snapshot-failed' ? notice.reason : []))
    expect(told[2]).toMatch('replaceAll() returned before it had read all items')
    expect(notices.filter(({ kind }) => kind === 'snapshot-restored')).toHaveLength(1)
  })

  it('keeps the list it has when the new one would be far shorter, until a person agrees', async () => {
    const { simulator, add, start, target, settled, store, notices, wanted } = await desk()
    const all = add(40)
    await start()
    await settled()
    for (const { id } of all.slice(0, 30)) simulator.delete(id)
    await until('the refusal', () => notices.some(({ kind }) => kind === 'snapshot-failed'))
    const reason = notices.flatMap((notice) => (notice.kind === 'snapshot-failed' ? notice.reason : []))[0]
    expect(reason).toMatch('CONNECTOR_SNAPSHOT_MAX_SHRINK')
    expect(target.list.length).toBeGreaterThanOrEqual(20)
    await store.commit({ values: new Map([['snapshot-consent', 'yes']]) })
    await settled()
    expect(wanted()).toHaveLength(10)
    expect(await store.value('snapshot-consent')).toBeUndefined()
  })

  it('gets the list in the next process when a stop came before it was taken', async () => {
    const { add, start, target, settled } = await desk()
    add(2)
    target.faults.push(...Array<'away'>(1000).fill('away'))
    const connector = await start()
    await until('both events', () => connector.status().inFlight === 2)
    await connector.stop()
    target.faults.length = 0
    await start()
    await settled()
  })

  it('is asked about a job until it is done, also by the next process, and gets the list again if it gave the job up', async () => {
    const { add, start, target, settled, wanted } = await desk()
    add(2)
    target.faults.push('job')
    const connector = await start()
    await until('the job', () => target.jobs.size === 1)
    expect(connector.status().delivered).toBe(0)
    await connector.stop()
    const next = await start()
    target.jobs.get('job-1')!.isLost = true
    await settled()
    expect(target.offered).toEqual([wanted(), wanted()])
    await next.stop()
  })

  it('tells what became of one message only when it has taken it', async () => {
    const { simulator, target, add, store, directory } = await desk()
    const [one] = add(1)
    const Made = class extends WholeListConnector {
      static override readonly target = target
      static override readonly defaults = { name: 'Lists' } satisfies ConnectorDefaults
    }
    const connector = new Made({ env: simulator.environment(), directory, store, logger })
    const message = {
      event: 'create',
      id: '1000-0',
      data: JSON.stringify({ version: '4', type: 'create', scope: 'external', message: '', data: one }),
    }
    expect(await connector.processMessage(message)).toEqual({ kind: 'delivered' })
    expect(target.list).toEqual(itemsOf(one as unknown as Entity).items.map(({ key }) => key))
    target.faults.push('refuse')
    const gone = {
      ...message,
      event: 'delete',
      id: '1001-0',
      data: message.data.replace('"create"', '"delete"'),
    }
    expect(await connector.processMessage(gone)).toEqual({
      kind: 'skipped',
      reason: 'list not taken: the list is too long',
    })
    await connector.stop()
  })
})

describe('lists of a connector without hooks', () => {
  it('are written to files and served under the token, from when they are complete', async () => {
    const lists = { domains: { format: 'plain' }, nothing: { format: 'csv', only: () => false } } as const
    const { add, start, wanted, directory } = await desk({
      lists,
      env: { CONNECTOR_HEALTH_PORT: '0', CONNECTOR_LIST_TOKEN: 'a-long-token' },
    })
    add(3)
    const connector = await start()
    const { health } = connector.status().endpoints
    const get = (name: string, token = 'a-long-token') =>
      fetch(new URL(`/lists/${name}`, health!), { headers: { authorization: `Bearer ${token}` } })
    await until('the lists', async () => (await get('nothing')).status === 200)
    const text = await (await get('domains')).text()
    expect(text.trim().split('\n')).toEqual(wanted().map((key) => key.slice('domain-name:'.length)))
    expect(await (await get('nothing')).text()).toBe('value\r\n')
    expect((await get('domains', 'wrong')).status).toBe(401)
    const file = join(directory, 'lists', connector.settings.connector.id, 'domains')
    expect(await readFile(file, 'utf8')).toBe(text)
    await connector.stop()
    const next = await start()
    const again = await fetch(new URL('/lists/domains', next.status().endpoints.health!), {
      headers: { authorization: 'Bearer a-long-token' },
    })
    expect(await again.text()).toBe(text)
  })
})
