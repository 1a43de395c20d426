import { tmpdir } from 'node:os'
import { onTestFinished } from 'vitest'
import {
  type PlatformProfile,
  Simulator,
  type SimulatorOptions,
  type StreamRequest,
} from 'opencti-stream-connector/testing'
import { MemoryStore, type StreamNotice } from 'opencti-stream-connector'
import { fastClock } from './fast-clock.ts'
import { Recorder, type RecorderOptions } from './recorder.ts'
import { until } from './until.ts'

/** Which platform the tests run against, where they do not name one (`npm run test:profiles`). */
const { SIMULATOR_PROFILE } = process.env
const profile = SIMULATOR_PROFILE === undefined ? {} : { profile: SIMULATOR_PROFILE as PlatformProfile }

/** A simulator with short heartbeats, closed after the test. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await Simulator.start({ heartbeatMs: 30, idleReadMs: 30, ...profile, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}

/** A connector on a simulator with a fast clock, stopped after the test. It is not started. */
export function makeRecorder<Made extends Recorder = Recorder>(
  simulator: Simulator,
  { env, ...options }: RecorderOptions & { env?: Record<string, string> } = {},
  Class: new (options: RecorderOptions) => Made = Recorder as unknown as new (
    options: RecorderOptions,
  ) => Made,
): Made {
  const recorder = new Class({
    env: { ...simulator.environment(), ...env },
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    random: () => 0.5,
    ...options,
  })
  onTestFinished(() => recorder.stop())
  return recorder
}

/** The same, started and connected; a failure to start is the test's. */
export async function startRecorder(
  simulator: Simulator,
  options: RecorderOptions & { env?: Record<string, string> } = {},
): Promise<Recorder> {
  const recorder = makeRecorder(simulator, options)
  await recorder.start()
  await until('the connection', () => streamRequests(simulator).some(({ status }) => status !== undefined))
  return recorder
}

/** Waits until what existed at the start has been received and everything is finished. */
export async function caughtUp(recorder: Pick<Recorder, 'status'>): Promise<void> {
  await until('the end of the catch-up', () => {
    const { catchingUp, inFlight } = recorder.status()
    return !catchingUp && inFlight === 0
  })
}

/** The requests for the live stream itself, without those that only ask for its status. */
export function streamRequests(simulator: Simulator): StreamRequest[] {
  return simulator.requests.filter(
    (request): request is StreamRequest => request.kind === 'stream' && request.query['from'] !== undefined,
  )
}

/** Waits for a notice of the stream. */
export function streamNotice<Kind extends StreamNotice['kind']>(
  recorder: Recorder,
  kind: Kind,
): Promise<Extract<StreamNotice, { kind: Kind }>> {
  return until(`the notice "${kind}" of the stream`, () => {
    for (const notice of recorder.notices)
      if (notice.kind === 'stream' && notice.notice.kind === kind)
        return notice.notice as Extract<StreamNotice, { kind: Kind }>
    return undefined
  })
}

/** The state that the platform keeps for the connector, parsed; empty for what is none. */
export function platformState(simulator: Simulator): Record<string, unknown> {
  try {
    return (JSON.parse(simulator.connector()?.state ?? 'null') ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** The event about an entity of this type that was published last. */
export function lastEventOf(simulator: Simulator, entityId: string): string {
  const event = simulator.history.findLast(({ data }) => data.id === entityId)
  if (event === undefined) throw new Error(`no event about ${entityId}`)
  return event.id
}
