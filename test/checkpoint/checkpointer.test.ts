import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { StateError } from '../../src/errors/state-error.ts'
import { type StreamConnectorError } from '../../src/errors/stream-connector-error.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type EntityRecord, type NewDeadLetter, type StateChanges } from '../../src/store/state-store.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { delay } from '../../src/util/delay.ts'

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const record = (key: string, externalId = '1'): EntityRecord => ({
  key,
  stixId: `indicator--${key}`,
  externalId,
})
const letter = (error: string): NewDeadLetter => ({
  eventType: 'create',
  attempts: 1,
  firstAtMs: 1,
  lastAtMs: 1,
  error,
  data: '{}',
})

/** A disk that can be full, and slow. */
class TroubledStore extends MemoryStore {
  isFull = false
  takesMs = 0
  readonly commits: { durable: boolean; atMs: number }[] = []
  readonly #clock: ManualClock

  constructor(clock: ManualClock) {
    super()
    this.#clock = clock
  }

  override async commit(changes: StateChanges): Promise<void> {
    this.commits.push({ durable: changes.durable === true, atMs: this.#clock.monotonic() })
    if (this.takesMs > 0) await delay(this.#clock, this.takesMs)
    if (this.isFull) throw new StateError('STATE_NOT_WRITTEN', 'the disk is full')
    await super.commit(changes)
  }
}

async function desk() {
  const clock = new ManualClock()
  const store = new TroubledStore(clock)
  await store.open(owner)
  const health: (StreamConnectorError | undefined)[] = []
  const state = { position: 0 }
  const checkpointer = new Checkpointer({
    store,
    clock,
    random: () => 0.5,
    onNotice: (notice) => health.push('error' in notice ? notice.error : undefined),
  })
  checkpointer.include([{ values: () => new Map([['position', String(state.position)]]) }])
  return { clock, store, health, state, checkpointer }
}

describe('a wait until an entity is written', () => {
  it('hurries the commit, ends with it, and is none if nothing waits to be written', async () => {
    const { clock, store, checkpointer } = await desk()
    expect(checkpointer.whenWritten('a')).toBeUndefined()
    checkpointer.putEntity(record('a'))
    expect(checkpointer.whenWritten('b')).toBeUndefined()
    const written = checkpointer.whenWritten('a')!
    await clock.advance(0)
    await written
    expect(store.entity('a')).toMatchObject({ key: 'a' })
    expect(checkpointer.whenWritten('a')).toBeUndefined()
  })

  it('goes on through a running commit of older changes, and through one that fails', async () => {
    const { clock, store, checkpointer } = await desk()
    store.takesMs = 50
    store.isFull = true
    checkpointer.putEntity(record('b'))
    await clock.advance(100)
    checkpointer.putEntity(record('a'))
    let isOver = false
    const written = checkpointer.whenWritten('a')!.then(() => (isOver = true))
    await clock.advance(60)
    expect(isOver).toBe(false)
    store.isFull = false
    await clock.advance(20_000)
    await written
    expect(store.entity('a')).toMatchObject({ key: 'a' })
  })
})

describe('a change that must be durable', () => {
  it('is written together with others, a tenth of a second after the first one, with the current position', async () => {
    const { clock, store, state, checkpointer } = await desk()
    checkpointer.putEntity(record('a'))
    await clock.advance(60)
    checkpointer.addDeadLetter(letter('bad'))
    checkpointer.deleteEntity('b')
    state.position = 7
    await clock.advance(39)
    expect(store.commits).toEqual([])
    await clock.advance(1)
    expect(store.commits).toEqual([{ durable: true, atMs: 100 }])
    expect(store.value('position')).toBe('7')
    expect(store.entity('a')).toEqual(record('a'))
    expect(await store.countDeadLetters()).toBe(1)
    await clock.advance(60_000)
    expect(store.commits).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('is written at once if there are many', async () => {
    const { clock, store, checkpointer } = await desk()
    for (let index = 0; index < 10_000; index++) checkpointer.putEntity(record(`k${index}`))
    await clock.advance(0)
    expect(await store.countEntities()).toBe(10_000)
  })

  it('is written without waiting for more when a batch has ended', async () => {
    const { clock, store, checkpointer } = await desk()
    checkpointer.putEntity(record('a'))
    checkpointer.hurry()
    checkpointer.putEntity(record('b'))
    await clock.advance(0)
    expect(store.commits).toHaveLength(1)
    expect(await store.countEntities()).toBe(2)
    store.takesMs = 30
    checkpointer.putEntity(record('c'))
    checkpointer.hurry()
    await clock.advance(10)
    checkpointer.putEntity(record('d'))
    checkpointer.hurry()
    await clock.advance(20)
    await clock.advance(30)
    expect(store.commits).toHaveLength(3)
    expect(await store.countEntities()).toBe(4)
  })

  it('can be looked up before and during its write', async () => {
    const { clock, store, checkpointer } = await desk()
    checkpointer.putEntity(record('a', 'old'))
    checkpointer.putEntity(record('b'))
    await checkpointer.flush()
    checkpointer.putEntity(record('a', 'new'))
    checkpointer.deleteEntity('b')
    const check = () => {
      expect(checkpointer.state.entity('a')).toMatchObject({ externalId: 'new' })
      expect(checkpointer.state.entity('b')).toBeUndefined()
    }
    check()
    store.takesMs = 1000
    await clock.advance(200)
    expect(store.commits).toHaveLength(2)
    expect(store.entity('b')).toBeDefined()
    check()
    checkpointer.putEntity(record('b', 'again'))
    expect(checkpointer.state.entity('b')).toMatchObject({ externalId: 'again' })
    await clock.advance(5000)
    expect(store.entity('b')).toMatchObject({ externalId: 'again' })
    expect(store.entity('a')).toMatchObject({ externalId: 'new' })
  })
})

describe('a store that cannot write', () => {
  it('keeps everything, says so once, and continues when it can write', async () => {
    const { clock, store, health, checkpointer } = await desk()
    store.isFull = true
    checkpointer.putEntity(record('a', 'first'))
    checkpointer.addDeadLetter(letter('one'))
    await clock.advance(60_000)
    checkpointer.putEntity(record('a', 'second'))
    checkpointer.addDeadLetter(letter('two'))
    checkpointer.deleteEntity('b')
    expect(checkpointer.state.entity('a')).toMatchObject({ externalId: 'second' })
    expect(health).toMatchObject([{ code: 'STATE_NOT_WRITTEN' }])
    expect(store.commits.length).toBeLessThan(40)
    let hasRoom = false
    void checkpointer.room()?.then(() => (hasRoom = true))
    await clock.advance(60_000)
    expect(hasRoom).toBe(false)
    store.isFull = false
    await clock.advance(11_000)
    expect(hasRoom).toBe(true)
    expect(checkpointer.room()).toBeUndefined()
    expect(health).toHaveLength(2)
    expect(health[1]).toBeUndefined()
    expect(store.entity('a')).toMatchObject({ externalId: 'second' })
    expect((await store.deadLetters({ limit: 10 })).map(({ error }) => error)).toEqual(['one', 'two'])
    expect(clock.pending).toBe(0)
  })

  it('accepts at most fifty thousand changes behind a slow commit', async () => {
    const { clock, store, checkpointer } = await desk()
    store.takesMs = 30_000
    checkpointer.putEntity(record('first'))
    await clock.advance(1000)
    for (let number = 1; number < 50_000; number++) checkpointer.putEntity(record(`${number}`))
    expect(checkpointer.room()).toBeUndefined()
    checkpointer.putEntity(record('50000'))
    let hasRoom = false
    void checkpointer.room()!.then(() => (hasRoom = true))
    await clock.advance(28_000)
    expect(hasRoom).toBe(false)
    await clock.advance(2000)
    expect(hasRoom).toBe(true)
    expect(checkpointer.room()).toBeUndefined()
    await clock.advance(31_000)
    expect(store.commits).toHaveLength(2)
    expect(await store.countEntities()).toBe(50_001)
  })

  it('forgets all earlier positions as soon as it can, and none of the later ones', async () => {
    const { clock, store, checkpointer } = await desk()
    checkpointer.putEntity({ ...record('a'), position: '5-0' })
    await checkpointer.flush()
    checkpointer.putEntity({ ...record('b'), position: '6-0' })
    store.isFull = true
    const answer = checkpointer.forgetPositions(new Map([['void', 'any']]))
    await expect(answer).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    expect(await checkpointer.state.entity('a')).toStrictEqual(record('a'))
    expect(await checkpointer.state.entity('b')).toStrictEqual(record('b'))
    checkpointer.putEntity({ ...record('c'), position: '1-0' })
    store.isFull = false
    store.takesMs = 100
    await clock.advance(300)
    expect(store.entity('a')).toMatchObject({ position: '5-0' })
    expect(await checkpointer.state.entity('a')).toStrictEqual(record('a'))
    checkpointer.putEntity({ ...record('b'), position: '2-0' })
    await clock.advance(60_000)
    expect(store.value('void')).toBe('any')
    expect(await store.entities({ limit: 9 })).toStrictEqual([
      record('a'),
      { ...record('b'), position: '2-0' },
      { ...record('c'), position: '1-0' },
    ])
  })

  it.each([
    [
      'the text of dead letters',
      (checkpointer: Checkpointer) =>
        checkpointer.addDeadLetter({ ...letter('bad'), data: 'x'.repeat(2_000_000) }),
      30,
    ],
    [
      'dead letters that are outdated',
      (checkpointer: Checkpointer, number: number) => checkpointer.outdateDeadLetters(`${number}`, '1-0'),
      50_000,
    ],
  ])('counts %s against its maximum', async (_, add, count) => {
    const { clock, store, checkpointer } = await desk()
    store.takesMs = 30_000
    checkpointer.putEntity(record('first'))
    await clock.advance(1000)
    expect(checkpointer.room()).toBeUndefined()
    for (let number = 0; number < count; number++) add(checkpointer, number)
    expect(checkpointer.room()).toBeDefined()
    await clock.advance(61_000)
    expect(checkpointer.room()).toBeUndefined()
  })

  it('makes flush reject, without losing the changes to flush', async () => {
    const { store, checkpointer } = await desk()
    store.isFull = true
    checkpointer.putEntity(record('a'))
    await expect(checkpointer.flush(true)).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    store.isFull = false
    await checkpointer.flush()
    expect(store.entity('a')).toBeDefined()
    expect(store.commits.at(-1)).toMatchObject({ durable: true })
  })

  it('remembers a request for a durable write while another write fails', async () => {
    const { clock, store, checkpointer } = await desk()
    store.isFull = true
    store.takesMs = 1000
    checkpointer.putEntity(record('a'))
    await clock.advance(200)
    const flushed = checkpointer.flush(true)
    await clock.advance(850)
    store.isFull = false
    await clock.advance(2000)
    await flushed
    expect(store.commits.map(({ durable }) => durable)).toEqual([false, true])
  })

  it('leaves no timer behind after a stop, whatever arrives late', async () => {
    const { clock, store, checkpointer } = await desk()
    store.isFull = true
    store.takesMs = 1000
    checkpointer.putEntity(record('a'))
    await clock.advance(200)
    checkpointer.stop()
    await clock.advance(2000)
    checkpointer.putEntity(record('b'))
    expect(clock.pending).toBe(0)
  })
})

describe('any mix of changes, flushes and failures', () => {
  it('ends with the last values, in the store as in every answer in between', async () => {
    const step = fc.record({
      kind: fc.constantFrom('put', 'delete', 'advance', 'flush', 'trouble', 'letter'),
      value: fc.nat(1000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const { clock, store, checkpointer } = await desk()
        const wanted = new Map<string, string>()
        let letters = 0
        for (const { kind, value } of steps) {
          const key = `k${value % 4}`
          if (kind === 'put') {
            wanted.set(key, String(value))
            checkpointer.putEntity(record(key, String(value)))
          } else if (kind === 'delete') {
            wanted.delete(key)
            checkpointer.deleteEntity(key)
          } else if (kind === 'letter') {
            letters++
            checkpointer.addDeadLetter(letter(String(value)))
          } else if (kind === 'advance') await clock.advance(value)
          else if (kind === 'flush') void checkpointer.flush(value % 2 === 0).catch(() => {})
          else {
            store.isFull = value % 2 === 0
            store.takesMs = value % 3 === 0 ? value : 0
          }
          for (const each of ['k0', 'k1', 'k2', 'k3']) {
            const known = await checkpointer.state.entity(each)
            expect(known?.externalId).toBe(wanted.get(each))
          }
        }
        store.isFull = false
        await clock.advance(60_000)
        for (const each of ['k0', 'k1', 'k2', 'k3'])
          expect(store.entity(each)?.externalId).toBe(wanted.get(each))
        expect(await store.countDeadLetters()).toBe(letters)
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})
