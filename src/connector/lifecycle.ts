import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type ConnectorState } from '../contract/notices.ts'

const moves: Readonly<Record<ConnectorState, readonly ConnectorState[]>> = {
  idle: ['starting', 'stopping'],
  starting: ['running', 'standby', 'stopping'],
  standby: ['starting', 'stopping'],
  running: ['standby', 'stopping'],
  stopping: ['stopped', 'failed'],
  stopped: [],
  failed: [],
}

/** The connector's lifecycle state. Allows legal transitions only. */
export class Lifecycle {
  readonly #onChange: (state: ConnectorState) => void
  #state: ConnectorState = 'idle'
  #waitsFor: string | undefined

  constructor(onChange: (state: ConnectorState) => void) {
    this.#onChange = onChange
  }

  get state(): ConnectorState {
    return this.#state
  }

  /** What the start waits for, for messages. */
  get waitsFor(): string | undefined {
    return this.#waitsFor
  }

  /** @param what until the next move; undefined for nothing. */
  waitFor(what: string | undefined): void {
    this.#waitsFor = what
  }

  /** @throws StreamConnectorError `LIFECYCLE` if the transition is illegal. */
  move(to: ConnectorState): void {
    if (!moves[this.#state].includes(to)) {
      throw new StreamConnectorError(
        'LIFECYCLE',
        `The connector is ${this.#state} and cannot be ${to} now. A connector starts only once; create a new one to start again.`,
      )
    }
    this.#state = to
    this.#waitsFor = undefined
    this.#onChange(to)
  }
}
