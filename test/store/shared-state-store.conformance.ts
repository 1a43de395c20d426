import { describe, expect, it, onTestFinished } from 'vitest'
import { type StateStore, type StateWait } from '../../src/store/state-store.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { type Clock, systemClock } from '../../src/util/clock.ts'
import { letter } from './state-store.conformance.ts'

/** One state, and its stores in several copies of a connector. */
export interface SharedStateUnderTest {
  /** @param name what others are told about this copy. */
  copy(options: { name: string; clock: Clock; leaseMs: number }): StateStore
}

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const leaseMs = 400

/**
 * What every store has to do that several copies of a connector share, in addition to `itIsAStateStore`. A
 * copy on a manual clock that nobody advances is one that is frozen: it renews nothing, while the server's
 * time goes on.
 */
export function itIsASharedStateStore(make: () => Promise<SharedStateUnderTest>): void {
  const state = async () => {
    const shared = await make()
    return (name: string, clock: Clock = systemClock) => {
      const store = shared.copy({ name, clock, leaseMs })
      onTestFinished(() => store.close().catch(() => {}))
      return store
    }
  }

  it('has a lease only while it is open', async () => {
    const copy = await state()
    const store = copy('one')
    expect(store.lease).toBeUndefined()
    await store.open(owner)
    expect(store.lease?.isHeld).toBe(true)
    await store.close()
    expect(store.lease?.isHeld ?? false).toBe(false)
  })

  it('is not open for a second copy before the first one closes it, and is then at once', async () => {
    const copy = await state()
    const [first, second] = [copy('one'), copy('two')]
    await first.open(owner)
    await first.commit({ values: new Map([['a', '1']]) })
    const waits: StateWait[] = []
    const told = Promise.withResolvers<void>()
    let isOpen = false
    const opening = second.open(owner, {
      onWait: (wait) => {
        waits.push(wait)
        told.resolve()
      },
    })
    void opening.then(() => (isOpen = true))
    await told.promise
    await new Promise((resolve) => setTimeout(resolve, 3 * leaseMs))
    expect(isOpen).toBe(false)
    expect(waits).toEqual([{ for: 'leader', holder: 'one' }])
    await first.close()
    expect(await opening).toEqual({ fresh: false })
    expect(second.lease?.isHeld).toBe(true)
    expect(await second.value('a')).toBe('1')
  })

  it('gives up the wait with its signal', async () => {
    const copy = await state()
    await copy('one').open(owner)
    const stop = new AbortController()
    const reason = new Error('stopped')
    const second = copy('two')
    const opening = second.open(owner, { signal: stop.signal, onWait: () => stop.abort(reason) })
    await expect(opening).rejects.toBe(reason)
    await second.close()
  })

  it('refuses every write of a copy that lost it, and says so before the copy asks', async () => {
    const copy = await state()
    const frozen = new ManualClock()
    const [first, second] = [copy('one', frozen), copy('two')]
    await first.open(owner)
    await first.commit({ values: new Map([['a', 'of the first']]) })
    const { lease } = first
    await second.open(owner)
    await second.commit({ values: new Map([['a', 'of the second']]) })
    const changes = {
      values: new Map([['a', 'too late']]),
      putEntities: [{ key: 'k', stixId: 's' }],
      addDeadLetters: [letter()],
    }
    await expect(first.commit(changes)).rejects.toMatchObject({ code: 'STATE_LOST' })
    expect(lease?.lost.aborted).toBe(true)
    expect(lease?.isHeld).toBe(false)
    await expect(first.commit({ ...changes, durable: true })).rejects.toMatchObject({ code: 'STATE_LOST' })
    expect(await second.value('a')).toBe('of the second')
    expect([await second.countEntities(), await second.countDeadLetters()]).toEqual([0, 0])
  })

  it('tells a copy at its next renewal that it lost the lease', async () => {
    const copy = await state()
    const frozen = new ManualClock()
    const [first, second] = [copy('one', frozen), copy('two')]
    await first.open(owner)
    await second.open(owner)
    const lost = Promise.withResolvers<void>()
    first.lease!.lost.addEventListener('abort', () => lost.resolve())
    await frozen.advance(leaseMs)
    await lost.promise
    expect(first.lease!.lost.reason).toMatchObject({ code: 'STATE_LOST' })
    expect(String(first.lease!.lost.reason)).toContain('two')
  })

  it('never gives the lease back to a copy that lost it, before that copy opens the state again', async () => {
    const copy = await state()
    const frozen = new ManualClock()
    const [first, second] = [copy('one', frozen), copy('two')]
    await first.open(owner)
    await second.open(owner)
    await second.close()
    await expect(first.commit({ values: new Map([['a', '1']]) })).rejects.toMatchObject({
      code: 'STATE_LOST',
    })
    await first.close()
    expect(await first.open(owner)).toEqual({ fresh: false })
    await first.commit({ values: new Map([['a', '1']]) })
    expect(first.lease?.isHeld).toBe(true)
  })

  it('continues with a late renewal if nobody has taken over', async () => {
    const copy = await state()
    const frozen = new ManualClock()
    const store = copy('one', frozen)
    await store.open(owner)
    const { lease } = store
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs))
    // Does not wait for the renewal that it lets fall due.
    const advanced = frozen.advance(leaseMs)
    await advanced
    await lease!.whenHeld()
    expect(lease!.isHeld).toBe(true)
    await store.commit({ values: new Map([['a', '1']]) })
    expect(await store.value('a')).toBe('1')
  })

  it('is taken by one of many copies that wait, and by the others in turn', async () => {
    const copy = await state()
    const copies = ['one', 'two', 'three', 'four'].map((name) => ({ name, store: copy(name) }))
    let open = 0
    let most = 0
    await Promise.all(
      copies.map(async ({ name, store }) => {
        await store.open(owner)
        most = Math.max(most, ++open)
        await store.commit({ values: new Map([[name, name]]) })
        await new Promise((resolve) => setTimeout(resolve, leaseMs))
        open--
        await store.close()
      }),
    )
    expect(most).toBe(1)
  })

  it('keeps the states of several connectors apart', async () => {
    const copy = await state()
    const [one, other] = [copy('one'), copy('two')]
    const otherOwner = 'another-connector'
    await one.open(owner)
    expect(await other.open(otherOwner)).toEqual({ fresh: true })
    const changes = (text: string) => ({
      values: new Map([['a', text]]),
      putEntities: [{ key: 'k', stixId: text, externalId: 'shared' }],
      putClaims: [{ entity: 'k', key: 'x', item: text }],
      putItems: [{ key: 'x', item: text }],
      putDepartures: new Map([['gone', '1-0']]),
      addDeadLetters: [letter({ error: text })],
    })
    await one.commit(changes('one'))
    await other.commit({ ...changes('other'), forgetPositions: true, removeDeadLetters: [2] })
    for (const [store, text] of [[one, 'one'] as const, [other, 'other'] as const]) {
      expect(await store.value('a')).toBe(text)
      expect(await store.entitiesAt('shared')).toMatchObject([{ stixId: text }])
      expect(await store.claims({ limit: 9 })).toEqual([{ entity: 'k', key: 'x', item: text }])
      expect(await store.item('x')).toEqual({ key: 'x', item: text })
      expect(await store.deadLetters({ limit: 9 })).toMatchObject([{ id: 1, error: text }])
      expect([...(await store.departures()).keys()]).toEqual(['gone'])
    }
    expect(await one.requestReplay({ force: false })).toBe(1)
    expect(await other.deadLetters({ limit: 9, onlyReplay: true })).toEqual([])
  })

  describe('without the lease', () => {
    it('is not what a store that waits for it gives', async () => {
      const copy = await state()
      await copy('one').open(owner)
      const waiting = copy('two')
      const stop = new AbortController()
      const opening = waiting.open(owner, { signal: stop.signal })
      await expect(waiting.commit({})).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
      await expect(waiting.countEntities()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
      stop.abort(new Error('stopped'))
      await expect(opening).rejects.toThrow('stopped')
    })
  })
}
