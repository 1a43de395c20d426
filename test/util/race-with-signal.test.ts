import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { raceWithSignal } from '../../src/util/race-with-signal.ts'

describe('raceWithSignal', () => {
  it('returns what the call returns, and leaves nothing at the signal', async () => {
    const { signal } = new AbortController()
    expect(await raceWithSignal(signal, async () => 7)).toBe(7)
    await expect(
      raceWithSignal(signal, async () => {
        throw new Error('the call failed')
      }),
    ).rejects.toThrow('the call failed')
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('ends with the reason of the signal, however long the call takes', async () => {
    const controller = new AbortController()
    const result = raceWithSignal(controller.signal, () => new Promise(() => {}))
    controller.abort(new Error('stopped'))
    await expect(result).rejects.toThrow('stopped')
  })

  it('makes no call if the signal is already aborted', async () => {
    let calls = 0
    const call = async () => calls++
    await expect(raceWithSignal(AbortSignal.abort(new Error('stopped')), call)).rejects.toThrow('stopped')
    expect(calls).toBe(0)
  })
})
