import { type StateLease } from './state-store.ts'

/**
 * Lets hooks start only while this copy of the connector holds the lease of a state that copies share. Without
 * such a state, they always may.
 */
export class LeaseGuard {
  #lease: StateLease | undefined

  /** @param onLost called when another copy may be working. */
  guard(lease: StateLease | undefined, onLost: (error: unknown) => void): void {
    this.#lease = lease
    if (lease === undefined) return
    // It can be lost while the state is being opened.
    if (lease.lost.aborted) onLost(lease.lost.reason)
    else lease.lost.addEventListener('abort', () => onLost(lease.lost.reason), { once: true })
  }

  /** Whether there is a lease, and it is not held now. */
  get isWithheld(): boolean {
    return this.#lease?.isHeld === false
  }

  /** Resolves when hooks may start again; undefined if they may now. */
  whenHeld(): Promise<void> | undefined {
    return this.#lease?.whenHeld()
  }
}
