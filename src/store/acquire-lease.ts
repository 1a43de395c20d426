import { type StateError } from '../errors/state-error.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type StateOpenOptions, type StateWait } from './state-store.ts'

/** Maximum pause between two attempts while another copy leads, in milliseconds. */
const maxPauseMs = 500

/** Pause between two attempts while the server is away, in milliseconds. */
const awayPauseMs = 1000

/** Outcome of an attempt to acquire a lease: it is held, somebody else holds it, or the server is away. */
export type LeaseAttempt<Held> =
  { readonly held: Held } | { readonly holder: string } | { readonly away: StateError }

/**
 * Tries to acquire a lease until it is held.
 *
 * @param attempt throws what does not resolve by waiting.
 * @throws that, or the signal's reason.
 */
export async function acquireLease<Held>(
  attempt: () => Promise<LeaseAttempt<Held>>,
  { clock, ttlMs, signal, onWait }: AcquireLeaseOptions,
): Promise<Held> {
  let told: string | undefined
  const tell = (wait: StateWait) => {
    const reason = wait.for === 'leader' ? `leader ${wait.holder}` : 'server'
    if (reason === told) return
    told = reason
    onWait?.(wait)
  }
  for (;;) {
    signal?.throwIfAborted()
    const found = await attempt()
    if ('held' in found) return found.held
    if ('holder' in found) tell({ for: 'leader', holder: found.holder })
    else tell({ for: 'server', error: found.away })
    await delay(clock, 'holder' in found ? Math.min(maxPauseMs, ttlMs / 4) : awayPauseMs, signal)
  }
}

export interface AcquireLeaseOptions extends StateOpenOptions {
  readonly clock: Clock
  /** The lease time, in milliseconds. */
  readonly ttlMs: number
}
