import { describe, expect, it } from 'vitest'
import { HookCall } from '../../../src/connector/delivery/hook-call.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const call = (timeoutMs: number | undefined) => {
  const clock = new ManualClock()
  const stopped = new AbortController()
  return { clock, stopped, call: new HookCall({ clock, timeoutMs, stopped: stopped.signal }) }
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

  it('names the hook and the setting when it takes too long', async () => {
    const { clock, call: hook } = call(1000)
    const result = hook.run('create', () => new Promise<never>(() => {})).catch((error: unknown) => error)
    await clock.advance(1500)
    expect(await result).toMatchObject({
      message: expect.stringMatching(/^create\(\).*CONNECTOR_HOOK_TIMEOUT_MS/),
    })
  })

  it('that fails long after its time brings nothing down', async () => {
    const { clock, call: hook } = call(1000)
    const late = Promise.withResolvers<never>()
    const result = hook.run('create', () => late.promise).catch((error: unknown) => error)
    await clock.advance(1500)
    expect(await result).toMatchObject({ code: 'HOOK_TIMEOUT' })
    late.reject(new Error('nobody waits for this'))
    await clock.advance(1000)
  })

  it('sees the end of the connector, with a limit and without', () => {
    for (const timeoutMs of [undefined, 1000]) {
      const { stopped, call: hook } = call(timeoutMs)
      const signal = hook.signal()
      expect(signal.aborted).toBe(false)
      stopped.abort()
      expect(signal.aborted).toBe(true)
    }
  })
})
