import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { repeatUntilAborted } from '../../src/util/repeat-until-aborted.ts'

/** A repetition each second, and when it called. */
function repeated({ isAtOnce, answer }: { isAtOnce?: boolean; answer?: () => number | undefined } = {}) {
  const clock = new ManualClock()
  const stop = new AbortController()
  const startMs = clock.monotonic()
  const calledAtMs: number[] = []
  const call = () => {
    calledAtMs.push(clock.monotonic() - startMs)
    return answer?.()
  }
  const done = repeatUntilAborted(call, { clock, everyMs: 1000, signal: stop.signal, isAtOnce })
  return { clock, stop, calledAtMs, done }
}

describe('repeatUntilAborted', () => {
  it('calls after each pause until it is stopped, and leaves no timer behind', async () => {
    const { clock, stop, calledAtMs, done } = repeated()
    await clock.advance(2500)
    stop.abort()
    await done
    await clock.advance(5000)
    expect(calledAtMs).toEqual([1000, 2000])
  })

  it('makes the first call at once on request', async () => {
    const { clock, stop, calledAtMs, done } = repeated({ isAtOnce: true })
    await clock.advance(1500)
    stop.abort()
    await done
    expect(calledAtMs).toEqual([0, 1000])
  })

  it('pauses for as long as the last call asked for', async () => {
    const { clock, stop, calledAtMs, done } = repeated({ isAtOnce: true, answer: () => 10 })
    await clock.advance(25)
    stop.abort()
    await done
    expect(calledAtMs).toEqual([0, 10, 20])
  })

  it('never begins a call before the previous one has ended', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const ending = Promise.withResolvers<void>()
    let calls = 0
    const call = () => {
      calls++
      return ending.promise
    }
    const done = repeatUntilAborted(call, { clock, everyMs: 1000, signal: stop.signal })
    await clock.advance(10_000)
    expect(calls).toBe(1)
    ending.resolve()
    await clock.advance(1000)
    expect(calls).toBe(2)
    stop.abort()
    await done
  })

  it('throws what a call throws', async () => {
    const { clock, done } = repeated({
      answer: () => {
        throw new Error('the call failed')
      },
    })
    const failed = expect(done).rejects.toThrow('the call failed')
    await clock.advance(1000)
    await failed
  })
})
