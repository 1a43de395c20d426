import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { systemClock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type StateOpening, type StateOpenOptions, type StateStore } from './state-store.ts'

/** Pause before the state is opened again, in milliseconds. */
const pauseMs = 100

/**
 * Opens a state; again if another copy takes it over meanwhile, or its server loses it: nothing was done with it yet.
 *
 * @param owner connector id.
 * @throws StateError for what does not resolve by waiting; the reason of the signal.
 */
export async function openState(
  store: StateStore,
  owner: string,
  options: StateOpenOptions,
): Promise<StateOpening> {
  for (;;) {
    try {
      return await store.open(owner, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!isStreamConnectorError(error) || error.code !== 'STATE_LOST') throw error
    }
    await delay(systemClock, pauseMs, options.signal)
  }
}
