import { MemoryStore, StateError, type StateChanges } from 'opencti-stream-connector'
import { type Simulator } from 'opencti-stream-connector/testing'
import { type Recorder, type RecorderOptions } from '../integration/recorder.ts'
import { makeRecorder } from '../integration/stage.ts'
import { ask } from './ask.ts'

/** A store that can be made to fail. */
export class FailingStore extends MemoryStore {
  isFull = false

  override async commit(changes: StateChanges): Promise<void> {
    if (this.isFull)
      throw new StateError('STATE_NOT_WRITTEN', 'The state cannot be written: the disk is full.')
    await super.commit(changes)
  }
}

/** A connector that can be asked over HTTP, on free ports. It is not started. */
export function makeObserved(
  simulator: Simulator,
  { env, ...options }: RecorderOptions & { env?: Record<string, string> } = {},
): Recorder {
  return makeRecorder(simulator, {
    env: {
      CONNECTOR_EXPOSE_METRICS: 'true',
      CONNECTOR_METRICS_PORT: '0',
      CONNECTOR_METRICS_HOST: '127.0.0.1',
      CONNECTOR_HEALTH_PORT: '0',
      ...env,
    },
    ...options,
  })
}

/** What `/readyz` says. */
export async function readiness(recorder: Recorder) {
  const { status, body } = await ask(`${recorder.status().endpoints.health}/readyz`)
  const { ready, reasons } = JSON.parse(body) as {
    ready: boolean
    reasons: { part: string; reason: string }[]
  }
  return { status, ready, parts: reasons.map(({ part }) => part), reasons }
}
