import { describe, expect, it } from 'vitest'
import { StateError } from '../../src/errors/state-error.ts'
import { acquireLease, type LeaseAttempt } from '../../src/store/acquire-lease.ts'
import { momentOf, RenewedLease } from '../../src/store/renewed-lease.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const taken = new StateError('STATE_LOST', 'another copy leads')
const ttlMs = 4000

/** A lease of four seconds; usable for 3.2 s after each renewal, which is due every second. */
function leaseWith(renew: () => Promise<StateError | undefined>) {
  const clock = new ManualClock()
  return { clock, lease: new RenewedLease({ clock, ttlMs, acquired: momentOf(clock), renew }) }
}

const never = () => new Promise<never>(() => {})

describe('RenewedLease', () => {
  it('stays held for as long as it is renewed', async () => {
    let calls = 0
    const { clock, lease } = leaseWith(async () => void calls++)
    await clock.advance(60_000)
    expect(lease.isHeld).toBe(true)
    expect(lease.whenHeld()).toBeUndefined()
    expect(calls).toBe(60)
  })

  it('is not held by a process that wakes from a freeze, before any answer of the server', async () => {
    const clock = new ManualClock()
    let frozenMs = 0
    const monotonic = { now: () => clock.now(), monotonic: () => clock.monotonic() + frozenMs }
    const slept = { ...monotonic, schedule: clock.schedule.bind(clock) }
    const lease = new RenewedLease({ clock: slept, ttlMs, acquired: momentOf(slept), renew: never })
    expect(lease.isHeld).toBe(true)
    frozenMs = 3199
    expect(lease.isHeld).toBe(true)
    frozenMs = 3200
    expect(lease.isHeld).toBe(false)
  })

  it('is not held after a sleep of the machine during which its monotonic clock stood still', () => {
    const { clock, lease } = leaseWith(never)
    clock.jump(clock.now() + 3_600_000)
    expect(lease.isHeld).toBe(false)
  })

  it('counts a late renewal from when it was sent', async () => {
    const answers: (() => void)[] = []
    const { clock, lease } = leaseWith(() => new Promise((resolve) => answers.push(() => resolve(undefined))))
    await clock.advance(4000)
    expect(lease.isHeld).toBe(false)
    // Sent at one second.
    answers[0]!()
    await clock.advance(199)
    expect(lease.isHeld).toBe(true)
    await clock.advance(1)
    expect(lease.isHeld).toBe(false)
  })

  it('is held again once a renewal succeeds, however long the server was away', async () => {
    let isAway = true
    const { clock, lease } = leaseWith(async () => {
      if (isAway) throw new Error('no route to host')
      return undefined
    })
    await clock.advance(60_000)
    expect(lease.isHeld).toBe(false)
    const held = lease.whenHeld()
    isAway = false
    await clock.advance(1000)
    await held
    expect(lease.isHeld).toBe(true)
    expect(lease.lost.aborted).toBe(false)
  })

  it('is lost for good when another copy has acquired it', async () => {
    let answer: StateError | undefined = taken
    let calls = 0
    const { clock, lease } = leaseWith(async () => {
      calls++
      return answer
    })
    await clock.advance(1000)
    expect(lease.lost.reason).toBe(taken)
    answer = undefined
    await clock.advance(10_000)
    expect(lease.isHeld).toBe(false)
    expect(calls).toBe(1)
  })

  it('is not held, and not lost, after it ended', async () => {
    const { clock, lease } = leaseWith(async () => taken)
    lease.end()
    await clock.advance(10_000)
    expect(lease.isHeld).toBe(false)
    expect(lease.lost.aborted).toBe(false)
    expect(clock.pending).toBe(0)
  })
})

describe('acquireLease', () => {
  it('says once for whom it waits, and again when that changes', async () => {
    const clock = new ManualClock()
    const away = new StateError('STATE_UNREADABLE', 'away')
    const outcomes: LeaseAttempt<string>[] = [
      { away },
      { away },
      { holder: 'one' },
      { holder: 'one' },
      { holder: 'two' },
      { held: 'token' },
    ]
    const waits: unknown[] = []
    const acquired = acquireLease(async () => outcomes.shift()!, {
      clock,
      ttlMs,
      onWait: (wait) => waits.push(wait),
    })
    await clock.advance(10_000)
    expect(await acquired).toBe('token')
    expect(waits).toEqual([
      { for: 'server', error: away },
      { for: 'leader', holder: 'one' },
      { for: 'leader', holder: 'two' },
    ])
  })

  it('ends with its signal, and with what no waiting resolves', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const waiting = acquireLease(async () => ({ holder: 'one' }), { clock, ttlMs, signal: stop.signal })
    const reason = new Error('stopped')
    stop.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(clock.pending).toBe(0)
    const failing = async () => Promise.reject(taken)
    await expect(acquireLease(failing, { clock, ttlMs })).rejects.toBe(taken)
  })
})
