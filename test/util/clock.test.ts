import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from 'opencti-stream-connector'

const dayMs = 86_400_000

afterEach(() => {
  vi.useRealTimers()
})

test.each([30, 365, 10_000])('waits %d days exactly, beyond what a Node timer reaches', (days) => {
  vi.useFakeTimers()
  const called = vi.fn()
  systemClock.schedule(days * dayMs, called)
  vi.advanceTimersByTime(days * dayMs - 1)
  expect(called).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(called).toHaveBeenCalledOnce()
})

test('a long wait can be canceled at any time, and leaves no timer', () => {
  vi.useFakeTimers()
  const called = vi.fn()
  const cancel = systemClock.schedule(100 * dayMs, called)
  vi.advanceTimersByTime(60 * dayMs)
  cancel()
  cancel()
  expect(vi.getTimerCount()).toBe(0)
})

test('an endless wait never ends, and a negative one ends at once', () => {
  vi.useFakeTimers()
  const never = vi.fn()
  const now = vi.fn()
  systemClock.schedule(Number.POSITIVE_INFINITY, never)
  systemClock.schedule(-5, now)
  vi.advanceTimersByTime(0)
  expect(now).toHaveBeenCalledOnce()
  vi.advanceTimersByTime(1000 * dayMs)
  expect(never).not.toHaveBeenCalled()
})
