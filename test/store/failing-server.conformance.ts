import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type MaybePromise, type StateStore, type StateWait } from '../../src/store/state-store.ts'
import { type DatabaseLink } from '../postgresql/database-link.ts'
import { until } from '../fixtures/until.ts'
import { letter } from './state-store.conformance.ts'

/** A store on a server, and what can happen to both. They end with the test. */
export interface StoreOnServer {
  readonly store: StateStore
  /** What the store reaches the server through. */
  readonly link: DatabaseLink
  /** Number of dead letters that the server has. */
  countLetters(): Promise<number>
  /** Makes it forget its last commit, as a standby that lagged behind. */
  goBack(): Promise<unknown>
  /** Makes its state that of a newer version of the connector. */
  makeNewer(): Promise<unknown>
}

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const a = (text: string) => ({ values: new Map([['a', text]]) })

/**
 * What every store on a server has to do when that fails.
 *
 * @param options.connectsAhead whether it connects again in the background, and until then fails at once; otherwise, it
 *   connects when it is used.
 */
export function itSurvivesAFailingServer(
  make: () => Promise<StoreOnServer>,
  { connectsAhead }: { connectsAhead: boolean },
): void {
  const opened = async () => {
    const made = await make()
    await made.store.open(owner)
    return made
  }
  /** Makes the call until it succeeds, if it may fail at first. */
  const afterFailure = async <T>(call: () => MaybePromise<T>): Promise<T> => {
    if (!connectsAhead) return call()
    const attempt = async () => {
      try {
        return { answer: await call() }
      } catch {
        return undefined
      }
    }
    return (await until('an answer', attempt)).answer
  }

  it('waits for a server that is away at the start, and says so once', async () => {
    const { link, store } = await make()
    link.isDown = true
    const waits: StateWait[] = []
    const opening = store.open(owner, { onWait: (wait) => waits.push(wait) })
    await until('the first attempt', () => waits.length > 0)
    await sleep(1500)
    link.isDown = false
    expect(await opening).toMatchObject({ fresh: true })
    expect(waits).toMatchObject([
      {
        for: 'server',
        error: { code: connectsAhead ? expect.stringMatching(/^STATE_/) : 'STATE_UNREADABLE' },
      },
    ])
    await store.commit(a('1'))
  })

  it('rejects while the server is away, and goes on by itself, without losing the lease', async () => {
    const { link, store } = await opened()
    const { lease } = store
    link.isDown = true
    link.cut()
    await expect(store.commit(a('1'))).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    await expect(store.entity('k')).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
    await until('the lease to run out', () => !lease!.isHeld)
    link.isDown = false
    await lease!.whenHeld()
    await afterFailure(() => store.commit(a('1')))
    expect(await afterFailure(() => store.value('a'))).toBe('1')
    expect(lease!.lost.aborted).toBe(false)
  })

  it('does not fail because a connection broke while nobody used it', async () => {
    const { link, store } = await opened()
    await store.commit(a('0'))
    await store.entity('k')
    for (let time = 0; time < 5; time++) {
      link.cut()
      // The end of the connections arrives.
      if (connectsAhead) await sleep(50)
      await store.commit(a(`${time}`))
      expect(await store.value('a')).toBe(`${time}`)
    }
  })

  it('makes a commit whose answer was lost once', async () => {
    const { link, store, countLetters } = await opened()
    await store.commit(a('1'))
    link.losesAnswers = true
    const unsure = letter({ error: 'once' })
    await expect(
      store.commit({ ...a('2'), addDeadLetters: [unsure], forgetPositions: true }),
    ).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    link.losesAnswers = false
    expect(await countLetters()).toBe(1)
    const changes = {
      ...a('3'),
      addDeadLetters: [unsure, letter(), letter()],
      forgetPositions: true,
      putEntities: [{ key: 'k', stixId: 's', position: '1-0' }],
    }
    await afterFailure(() => store.commit(changes))
    await afterFailure(() => store.value('a'))
    expect((await store.deadLetters({ limit: 9 })).map(({ id, error }) => [id, error])).toEqual([
      [1, 'once'],
      [2, letter().error],
      [3, letter().error],
    ])
    expect(await store.value('a')).toBe('3')
    expect(await store.entity('k')).toEqual({ key: 'k', stixId: 's', position: '1-0' })
  })

  it('starts over if the server went back to an earlier state', async () => {
    const { store, goBack } = await opened()
    await store.commit(a('1'))
    await store.commit(a('2'))
    await goBack()
    await expect(store.commit(a('3'))).rejects.toMatchObject({
      code: 'STATE_LOST',
      message: expect.stringMatching(/older/) as string,
    })
    expect(store.lease?.lost.aborted).toBe(true)
    await store.close()
    expect(await store.open(owner)).toMatchObject({ fresh: false })
    await store.commit(a('4'))
  })

  it('refuses a state of a newer version', async () => {
    const { store, makeNewer } = await opened()
    await store.close()
    await makeNewer()
    await expect(store.open(owner)).rejects.toMatchObject({
      message: expect.stringMatching(/newer version/) as string,
    })
  })
}
