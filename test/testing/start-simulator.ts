import { onTestFinished } from 'vitest'
import { ManualClock, Simulator, type SimulatorOptions } from 'opencti-stream-connector/testing'

/** A simulator that is closed after the test. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await Simulator.start(options)
  onTestFinished(() => simulator.close())
  return simulator
}

/** The same, and its time stands still until the test moves the clock. */
export async function startOnManualClock(
  options: Omit<SimulatorOptions, 'clock'> = {},
): Promise<{ simulator: Simulator; clock: ManualClock }> {
  const clock = new ManualClock()
  return { simulator: await startSimulator({ clock, ...options }), clock }
}
