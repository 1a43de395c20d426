import { ManualClock, type Simulator, type SimulatorOptions } from 'opencti-stream-connector/testing'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

/** A simulator whose time stands still until the test moves the clock, closed after the test. */
export async function startOnManualClock(
  options: Omit<SimulatorOptions, 'clock'> = {},
): Promise<{ simulator: Simulator; clock: ManualClock }> {
  const clock = new ManualClock()
  return { simulator: await plainSimulator({ clock, ...options }), clock }
}
