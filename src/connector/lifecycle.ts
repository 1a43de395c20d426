import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type ConnectorState } from '../contract/notices.ts'

const moves: Readonly<Record<ConnectorState, readonly ConnectorState[]>> = {
  idle: ['starting', 'stopping'],
  starting: ['running', 'stopping', 'failed'],
  running: ['stopping', 'failed'],
  stopping: ['stopped', 'failed'],
  stopped: [],
  failed: ['stopping'],
}

/** Where a connector is in its life: one setter, legal moves only. */
export class Lifecycle {
  readonly #onChange: (state: ConnectorState) => void
  #state: ConnectorState = 'idle'

  constructor(onChange: (state: ConnectorState) => void) {
    this.#onChange = onChange
  }

  get state(): ConnectorState {
    return this.#state
  }

  /** @throws StreamConnectorError `LIFECYCLE` when this does not follow on what it is. */
  move(to: ConnectorState): void {
    if (!moves[this.#state].includes(to)) {
      throw new StreamConnectorError(
        'LIFECYCLE',
        `The connector is ${this.#state} and cannot be ${to} now. A connector is started once; make a new one to start again.`,
      )
    }
    this.#state = to
    this.#onChange(to)
  }
}
