import { describe, expect, it } from 'vitest'
import { PermanentError } from '../../src/errors/steering-errors.ts'
import { HookCall } from '../../src/target/hook-call.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const call = (timeoutMs: number | undefined) => {
  const clock = new ManualClock()
  const stopped = new AbortController()
  const overdue: string[] = []
  const limits = { clock, timeoutMs, stopped: stopped.signal }
  return {
    clock,
    stopped,
    overdue,
    call: new HookCall(limits, undefined, [], { overdue: (hook) => overdue.push(hook) }),
  }
}

/** What a hook does that obeys its signal. */
const untilAborted = (hook: HookCall) => {
  const signal = hook.signal()
  return new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error)),
  )
}

describe('one call of a hook', () => {
  it('leaves no timer behind, whether it returns, rejects or throws at once', async () => {
    const { clock, call: hook } = call(1000)
    expect(await hook.run('create', () => 1)).toBe(1)
    await expect(hook.run('create', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    const throwing = (): string => {
      throw new Error('at once')
    }
    await expect(hook.run('create', throwing)).rejects.toThrow('at once')
    expect(clock.pending).toBe(0)
  })

  it('names the hook and the setting if it takes too long', async () => {
    const { clock, call: hook } = call(1000)
    const result = hook.run('create', () => untilAborted(hook)).catch((error: unknown) => error)
    await clock.advance(1000)
    expect(await result).toMatchObject({
      message: expect.stringMatching(/^create\(\).*CONNECTOR_HOOK_TIMEOUT_MS/),
    })
  })

  it('is over only when a hook that may have an effect has ended, however late, and reports the wait', async () => {
    const { clock, call: hook, overdue } = call(1000)
    const late = Promise.withResolvers<string>()
    let ended: unknown
    void Promise.resolve(hook.run('update', () => late.promise)).then((answer) => (ended = answer))
    await clock.advance(1499)
    expect(overdue).toEqual([])
    await clock.advance(1)
    expect(overdue).toEqual(['update'])
    await clock.advance(86_400_000)
    expect(ended).toBeUndefined()
    late.resolve('T7')
    await clock.advance(0)
    expect(ended).toBe('T7')
  })

  it("passes on a late hook's verdict on its event, and takes a mere interruption for a time-out", async () => {
    const cases: [unknown, object][] = [
      [Object.assign(new Error('no'), { status: 422 }), { status: 422 }],
      [new PermanentError('never'), { code: 'PERMANENT' }],
      [new DOMException('aborted', 'AbortError'), { code: 'HOOK_TIMEOUT' }],
    ]
    for (const [thrown, expected] of cases) {
      const { clock, call: hook } = call(1000)
      const late = Promise.withResolvers<never>()
      const result = hook.run('create', () => late.promise).catch((error: unknown) => error)
      await clock.advance(5000)
      late.reject(thrown)
      expect(await result).toMatchObject(expected)
    }
  })

  it.each(['transform', 'find', 'link'])('gives up %s, which changes nothing at the target', async (name) => {
    const { clock, call: hook, overdue } = call(1000)
    const late = Promise.withResolvers<never>()
    const result = hook.run(name, () => late.promise).catch((error: unknown) => error)
    await clock.advance(1500)
    expect(await result).toMatchObject({ code: 'HOOK_TIMEOUT' })
    expect(overdue).toEqual([])
    late.reject(new Error('nobody waits for this'))
    await clock.advance(1000)
  })

  it('sees the end of the connector, with and without a limit', () => {
    for (const timeoutMs of [undefined, 1000]) {
      const { stopped, call: hook } = call(timeoutMs)
      const signal = hook.signal()
      expect(signal.aborted).toBe(false)
      stopped.abort()
      expect(signal.aborted).toBe(true)
    }
  })
})
