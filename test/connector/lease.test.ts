import { expect, test } from 'vitest'
import {
  MemoryStore,
  type StateLease,
  type StateOpening,
  type StateOpenOptions,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { StateError } from '../../src/errors/state-error.ts'
import { type StateChanges } from '../../src/store/state-store.ts'
import { Condition } from '../../src/util/condition.ts'
import { serve } from '../fixtures/loopback.ts'
import { Recorder } from '../fixtures/recorder.ts'
import { caughtUp, makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** A state in memory with a lease that the test takes away and gives back. */
class LeasedStore extends MemoryStore {
  isFree = true
  isHeld = true
  /** Another copy has taken it, which the next commit finds out. */
  isTakenUnnoticed = false
  /** Openings that fail because another copy takes it over meanwhile. */
  lossesWhileOpening = 0
  /** Reads that fail because the server is away. */
  failingReads = 0
  /** Commits that fail because the server is away. */
  failingCommits = 0
  commits = 0
  readonly #changed = new Condition()
  #lost = new AbortController()
  #lease: StateLease | undefined

  get lease(): StateLease | undefined {
    return this.#lease
  }

  override async open(owner: string, options: StateOpenOptions = {}): Promise<StateOpening> {
    if (!this.isFree) options.onWait?.({ for: 'leader', holder: 'the other copy' })
    const stop = new Promise<never>((_, reject) => {
      options.signal?.addEventListener('abort', () => reject(options.signal!.reason as Error))
    })
    while (!this.isFree) await Promise.race([this.#changed.wait(), stop])
    stop.catch(() => {})
    if (this.lossesWhileOpening-- > 0) throw new StateError('STATE_LOST', 'the other copy has taken over')
    const opening = await super.open(owner)
    const lost = (this.#lost = new AbortController())
    const isHeld = () => this.isHeld && !lost.signal.aborted
    this.#lease = {
      get isHeld() {
        return isHeld()
      },
      lost: lost.signal,
      whenHeld: () => (isHeld() ? undefined : this.#changed.wait()),
    }
    return opening
  }

  override value(name: string): string | undefined {
    if (this.failingReads-- > 0)
      throw new StateError('STATE_UNREADABLE', 'the server is away', { cause: new Error('ECONNREFUSED') })
    return super.value(name)
  }

  override async commit(changes: StateChanges): Promise<void> {
    if (this.failingCommits-- > 0) throw new StateError('STATE_NOT_WRITTEN', 'the server is away')
    if (this.isTakenUnnoticed) this.take()
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason
    this.commits++
    await super.commit(changes)
  }

  /** Another copy holds it. */
  take(): void {
    this.isFree = false
    this.#lost.abort(new StateError('STATE_LOST', 'the other copy has taken over'))
  }

  give(): void {
    this.isFree = this.isHeld = true
    this.#changed.notifyAll()
  }
}

class LeasedRecorder extends Recorder {
  readonly client = this.http
  /** In the order of their calls. */
  readonly life: string[] = []

  override open(): void {
    this.life.push('open')
  }

  override close(): void {
    this.life.push('close')
  }
}

async function stage() {
  const simulator = await startSimulator()
  const store = new LeasedStore()
  const recorder = makeRecorder(
    simulator,
    { store, env: { CONNECTOR_FILTER_TYPES: 'indicator' } },
    LeasedRecorder,
  )
  const create = (seed: number) => simulator.create(buildIndicator('ipv4', { seed })).id
  return { simulator, store, recorder, create }
}

test('a copy that waits is ready, opens nothing, and is unknown to the platform until it leads', async () => {
  const { simulator, store, recorder, create } = await stage()
  store.isFree = false
  const started = recorder.start()
  await until('the wait', () => recorder.status().state === 'standby')
  expect(recorder.status()).toMatchObject({ leader: 'the other copy', notReady: [] })
  expect(recorder.notices).toContainEqual({ kind: 'standby', leader: 'the other copy' })
  expect(recorder.life).toEqual([])
  expect(simulator.connectors).toEqual([])
  const id = create(1)
  store.give()
  await started
  await until('the event', () => recorder.callsOf(id).length === 1)
  expect(recorder.status().state).toBe('running')
  expect(recorder.life).toEqual(['open'])
})

test('a copy that waits can be stopped', async () => {
  const { store, recorder } = await stage()
  store.isFree = false
  const started = recorder.start()
  await until('the wait', () => recorder.status().state === 'standby')
  await recorder.stop()
  await started
  expect(recorder.status().state).toBe('stopped')
})

test('no hook starts while the lease is not held, and all start when it is again', async () => {
  const { store, recorder, create } = await stage()
  await recorder.start()
  await caughtUp(recorder)
  store.isHeld = false
  const ids = [1, 2, 3].map(create)
  await until('the events', () => recorder.status().inFlight === 3)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(recorder.calls).toEqual([])
  expect(recorder.status().notReady).toMatchObject([{ part: 'state' }])
  store.give()
  await until('the hooks', () => ids.every((id) => recorder.callsOf(id).length === 1))
})

test('a hook that would follow another one waits for the lease, too', async () => {
  const { store, recorder, create } = await stage()
  const transform = Promise.withResolvers<void>()
  recorder.transform = async (entity) => {
    await transform.promise
    return entity
  }
  await recorder.start()
  await caughtUp(recorder)
  const id = create(1)
  await until('transform()', () => recorder.status().inFlight === 1)
  store.isHeld = false
  transform.resolve()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(recorder.calls).toEqual([])
  store.give()
  await until('create()', () => recorder.callsOf(id).length === 1)
})

test('a copy that lost the lease calls and writes nothing more, and starts over when it leads again', async () => {
  const { store, recorder, create } = await stage()
  const entered = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  recorder.transform = async (entity) => {
    entered.resolve()
    await leave.promise
    return entity
  }
  await recorder.start()
  await caughtUp(recorder)
  const id = create(1)
  await entered.promise
  store.take()
  const { commits } = store
  leave.resolve()
  await until('the wait', () => recorder.life.length === 2)
  const later = create(2)
  await until('standby', () => recorder.status().leader === 'the other copy')
  expect(recorder.status()).toMatchObject({ state: 'standby', notReady: [], inFlight: 0 })
  expect(recorder.calls).toEqual([])
  expect(store.commits).toBe(commits)
  store.give()
  await until('both', () => [id, later].every((each) => recorder.callsOf(each).length === 1))
  expect(recorder.life).toEqual(['open', 'close', 'open'])
  expect(recorder.status().state).toBe('running')
  const kinds = recorder.notices.map(({ kind }) => kind)
  expect(kinds).toContain('lease-lost')
  expect(kinds).not.toContain('state-not-written')
  await recorder.stop()
  expect(recorder.life).toEqual(['open', 'close', 'open', 'close'])
})

test('a copy can lose the lease again and again, also while it starts', async () => {
  const { store, recorder, create } = await stage()
  await recorder.start()
  await caughtUp(recorder)
  for (let round = 1; round <= 5; round++) {
    store.take()
    await until('the wait', () => recorder.status().state === 'standby')
    const id = create(round)
    store.give()
    if (round % 2 === 0) {
      await until('the start', () => recorder.status().state !== 'standby')
      store.take()
      await until('the wait', () => recorder.status().state === 'standby')
      store.give()
    }
    await until('the event', () => recorder.callsOf(id).length > 0)
  }
  await recorder.stop()
  await recorder.finished
})

test('a state that is lost while it is being opened is opened again, because nothing was done with it', async () => {
  const { store, recorder, create } = await stage()
  store.lossesWhileOpening = 2
  await recorder.start()
  await caughtUp(recorder)
  const id = create(1)
  await until('the event', () => recorder.callsOf(id).length > 0)
  expect(recorder.notices.map(({ kind }) => kind)).not.toContain('lease-lost')
})

test('a copy whose server fails just after the state was opened starts over, and says why', async () => {
  const { store, recorder, create } = await stage()
  store.failingReads = 1
  const started = recorder.start()
  await until('the second try', () => recorder.life.length === 1, 10_000)
  await started
  await caughtUp(recorder)
  const id = create(1)
  await until('the event', () => recorder.callsOf(id).length > 0)
  expect(recorder.lines).toContainEqual(
    expect.objectContaining({
      level: 'error',
      message: 'The server of the state failed; starting over',
      attributes: { error: 'the server is away (ECONNREFUSED)' },
    }),
  )
})

test('a stop saves the state once its server is back, if that is within the grace period', async () => {
  const { store, recorder, create } = await stage()
  await recorder.start()
  await caughtUp(recorder)
  const id = create(1)
  await until('the event', () => recorder.callsOf(id).length > 0)
  store.failingCommits = 3
  await recorder.stop()
  await recorder.finished
  expect(recorder.status().state).toBe('stopped')
  expect(store.failingCommits).toBeLessThanOrEqual(0)
})

test('a stop just after the loss of the lease ends well, without a last word to the platform', async () => {
  const { simulator, store, recorder } = await stage()
  await recorder.start()
  await caughtUp(recorder)
  store.take()
  const requests = simulator.requests.length
  await recorder.stop()
  await recorder.finished
  expect(recorder.status().state).toBe('stopped')
  expect(simulator.requests.slice(requests).filter(({ kind }) => kind === 'graphql')).toEqual([])
})

test('a stop whose last commit is refused, because another copy has taken over, ends well', async () => {
  const { store, recorder, create } = await stage()
  const entered = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  recorder.transform = async (entity) => {
    entered.resolve()
    await leave.promise
    return entity
  }
  await recorder.start()
  await caughtUp(recorder)
  create(1)
  await entered.promise
  store.isTakenUnnoticed = true
  const stopped = recorder.stop()
  leave.resolve()
  await stopped
  await recorder.finished
  expect(recorder.status().state).toBe('stopped')
})

test('a hook sends no request through this.http while the lease is not held, and none once another copy leads', async () => {
  const { store, recorder, create } = await stage()
  const paths: string[] = []
  const target = await serve((request, response) => {
    paths.push(request.url!)
    response.end()
  })
  let goOn = Promise.withResolvers<void>()
  recorder.create = async () => {
    await recorder.client.get(`${target}/find`)
    await goOn.promise
    await recorder.client.post(`${target}/create`)
    return undefined
  }
  await recorder.start()
  await caughtUp(recorder)
  create(1)
  await until('the first request', () => paths.length === 1)
  store.isHeld = false
  goOn.resolve()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(paths).toEqual(['/find'])
  store.give()
  await until('the second request', () => paths.length === 2)

  goOn = Promise.withResolvers()
  create(2)
  await until('the first request of the next', () => paths.length === 3)
  store.isHeld = false
  goOn.resolve()
  await new Promise((resolve) => setTimeout(resolve, 100))
  store.take()
  await until('standby', () => recorder.status().state === 'standby')
  expect(paths).toEqual(['/find', '/create', '/find'])
})
