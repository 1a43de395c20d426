import { type StateError } from '../errors/state-error.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type StateLease } from './state-store.ts'

/** Renewals per lease time. */
const renewals = 4

/** Part of the lease time that the holder does not use: between its last hook and the next holder's first. */
const marginShare = 1 / 5

/** A point in time, on both of a machine's clocks. */
export interface Moment {
  readonly nowMs: number
  readonly monotonicMs: number
}

export function momentOf(clock: Clock): Moment {
  return { nowMs: clock.now(), monotonicMs: clock.monotonic() }
}

/**
 * A {@link StateLease} that renews itself at a quarter of its time. Being late does not lose it: as long as no
 * other copy has taken over, the next successful renewal continues it.
 */
export class RenewedLease implements StateLease {
  readonly #options: RenewedLeaseOptions
  readonly #lost = new AbortController()
  readonly #ended = new AbortController()
  readonly #renewed = new Condition()
  /** When the last successful renewal began. */
  #begun: Moment

  constructor(options: RenewedLeaseOptions) {
    const { clock, ttlMs, acquired } = options
    this.#options = options
    this.#begun = acquired
    const { signal } = this.#ended
    void repeatUntilAborted(async () => void (await this.renew()), {
      clock,
      everyMs: ttlMs / renewals,
      signal,
    })
  }

  get isHeld(): boolean {
    if (this.#ended.signal.aborted) return false
    const { clock, ttlMs } = this.#options
    const usableMs = ttlMs * (1 - marginShare)
    // The monotonic clock may rest while the machine sleeps, and the other one may be set back.
    return (
      clock.monotonic() - this.#begun.monotonicMs < usableMs && clock.now() - this.#begun.nowMs < usableMs
    )
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  whenHeld(): Promise<void> | undefined {
    return this.isHeld ? undefined : this.#renewed.wait()
  }

  /** Another copy has taken over. */
  lose(error: StateError): void {
    if (this.#ended.signal.aborted) return
    this.end()
    this.#lost.abort(error)
  }

  /** Renews no more, because it was lost or is about to be released. */
  end(): void {
    this.#ended.abort()
  }

  /** Renews it now, and returns whether that succeeded. */
  async renew(): Promise<boolean> {
    const begun = momentOf(this.#options.clock)
    try {
      const loss = await this.#options.renew()
      if (loss !== undefined) {
        this.lose(loss)
        return false
      }
    } catch {
      // Whoever reads or writes the state reports that the server is away; the next renewal follows soon.
      return false
    }
    this.#begun = begun
    if (this.isHeld) this.#renewed.notifyAll()
    return true
  }
}

export interface RenewedLeaseOptions {
  readonly clock: Clock
  /** Time without a renewal after which another copy may take over, in milliseconds. */
  readonly ttlMs: number
  /** When the call began that acquired it. */
  readonly acquired: Moment
  /**
   * Renews it for the whole lease time, from the server's present. Must end within a bounded time; a late
   * success counts from when the call began.
   *
   * @returns the `STATE_LOST` error if another copy has acquired it.
   */
  readonly renew: () => Promise<StateError | undefined>
}
