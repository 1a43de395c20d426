import { tmpdir } from 'node:os'
import { MemoryStore } from 'opencti-stream-connector'
import { Simulator } from 'opencti-stream-connector/testing'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { Recorder, type RecorderOptions } from '../../fixtures/recorder.ts'

/** A platform for one input; a fuzzer creates thousands per test. */
export function startPlatform(): Promise<Simulator> {
  return Simulator.start({ heartbeatMs: 30, idleReadMs: 30 })
}

/** A connector for one input, with the waits of a real one, shortened by its clock. Not started. */
export function makeConnector(simulator: Simulator, options: RecorderOptions = {}): Recorder {
  return new Recorder({
    env: simulator.environment(),
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    random: () => 0.5,
    ...options,
  })
}
