import { type Ledger, type Ticket } from '../../checkpoint/ledger.ts'
import { type Position } from '../../opencti/position.ts'

/** With fewer frames it is not looked which of them need not be remembered any more. */
const minFrames = 20_000

/** Beyond this, the frames that came first are forgotten; after a reconnect they are delivered again. */
const maxFrames = 100_000

/**
 * Enters frames in the ledger, and knows those of a catch-up that come again because its connection was lost: a new one
 * begins up to a whole page of the platform before the end of what was received. A target that is so slow that the
 * connection is given up each time would never see anything else.
 *
 * What is remembered is in memory, or finished: it is safe with the catch-up as a whole.
 */
export class CatchUpReceipts {
  readonly #ledger: Ledger
  /** By what tells a frame from others: the `updated_at` that it came with. */
  readonly #received = new Map<string, number>()
  #lookAt = minFrames

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** As {@link Ledger.receive}; also undefined for a frame that this catch-up has brought before. */
  receive(position: Position | undefined, member: string, isMain: boolean): Ticket | undefined {
    const ledger = this.#ledger
    const ticket = ledger.receive(position, member, isMain)
    if (!ledger.catchingUp) {
      if (this.#received.size > 0) this.#received.clear()
      return ticket
    }
    if (ticket === undefined || position === undefined) return ticket
    if (this.#received.get(member) === position.ms) {
      ledger.settle(ticket)
      return undefined
    }
    this.#remember(member, position.ms)
    return ticket
  }

  /** As {@link Ledger.settle}. */
  settle(ticket: Ticket): void {
    this.#ledger.settle(ticket)
  }

  #remember(member: string, updatedAtMs: number): void {
    // At the end, also when it was there: what is in front came first.
    this.#received.delete(member)
    this.#received.set(member, updatedAtMs)
    if (this.#received.size < this.#lookAt) return
    const { ms } = this.#ledger.resume
    for (const [each, eachMs] of this.#received) if (eachMs < ms) this.#received.delete(each)
    for (const each of this.#received.keys()) {
      if (this.#received.size <= maxFrames / 2) break
      this.#received.delete(each)
    }
    this.#lookAt = Math.max(minFrames, this.#received.size * 2)
  }
}
