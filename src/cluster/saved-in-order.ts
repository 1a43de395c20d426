import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { type Operation } from '../events/operation.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'

/**
 * An event waits until what the earlier one of its entity led to is saved. Another copy that takes over would
 * otherwise do both again, and take the entity back to its earlier state until the second one follows.
 */
export class SavedInOrder implements DeliveryFeature {
  readonly #checkpointer: Pick<Checkpointer, 'whenWritten'>
  readonly #givenUp: AbortSignal

  /** @param givenUp aborts when work is abandoned. */
  constructor(checkpointer: Pick<Checkpointer, 'whenWritten'>, givenUp: AbortSignal) {
    this.#checkpointer = checkpointer
    this.#givenUp = givenUp
  }

  before({ key }: Operation): Promise<undefined> | undefined {
    const written = this.#checkpointer.whenWritten(key)
    return written && raceWithSignal(this.#givenUp, () => written.then(() => undefined))
  }
}
