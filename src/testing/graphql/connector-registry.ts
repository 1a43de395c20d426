/** A received ping. */
export interface ReceivedPing {
  /** The state in the ping: JSON text, `null`, or nothing. */
  readonly state: string | null | undefined
  readonly connectorInfo: unknown
  readonly atMs: number
  /** Whether the state was ignored because of a pending reset. */
  readonly ignored: boolean
}

/** A registered connector. */
export interface RegisteredConnector {
  readonly id: string
  name: string
  scope: readonly string[]
  /** All registrations, as received. */
  readonly registrations: Record<string, unknown>[]
  /** The newest pings. */
  readonly pings: ReceivedPing[]
  /** The stored `connector_state`. */
  state: string | null
  /** Whether the next ping reports a reset. */
  isResetPending: boolean
  stateChangedAtMs: number
  userId: string | undefined
  info: unknown
  registeredAtMs: number
}

/** Maximum number of pings and registrations to remember per connector. */
const maxRemembered = 1000

/** Registered connectors, their states, and the reset rules (domain/connector.ts). */
export class ConnectorRegistry {
  readonly #connectors = new Map<string, RegisteredConnector>()

  /** All registered connectors. */
  list(): RegisteredConnector[] {
    return [...this.#connectors.values()].filter(({ registrations }) => registrations.length > 0)
  }

  find(id: string): RegisteredConnector | undefined {
    const connector = this.#connectors.get(id)
    return connector !== undefined && connector.registrations.length > 0 ? connector : undefined
  }

  register(input: Record<string, unknown>, userId: string, nowMs: number): RegisteredConnector {
    const connector = this.#open(String(input['id']))
    remember(connector.registrations, input)
    connector.name = String(input['name'])
    connector.scope = Array.isArray(input['scope']) ? input['scope'].map(String) : []
    connector.userId = userId
    connector.registeredAtMs = nowMs
    return connector
  }

  /**
   * Processes a ping: a pending reset is consumed and the received state ignored; otherwise the state is
   * stored.
   *
   * @returns undefined if the connector never registered.
   */
  ping(
    id: string,
    state: string | null | undefined,
    info: unknown,
    nowMs: number,
  ): RegisteredConnector | undefined {
    const connector = this.find(id)
    if (connector === undefined) return undefined
    remember(connector.pings, { state, connectorInfo: info, atMs: nowMs, ignored: connector.isResetPending })
    if (info !== undefined && info !== null) connector.info = info
    if (connector.isResetPending) {
      connector.isResetPending = false
    } else {
      connector.state = state ?? null
      connector.stateChangedAtMs = nowMs
    }
    return connector
  }

  /** Does what the button "Reset the connector state" does. */
  reset(id: string, nowMs: number): RegisteredConnector {
    const connector = this.#open(id)
    connector.state = ''
    connector.isResetPending = true
    connector.stateChangedAtMs = nowMs
    return connector
  }

  /** Stores a state, even before the connector registers. */
  setState(id: string, state: string | null, nowMs: number): void {
    const connector = this.#open(id)
    connector.state = state
    connector.stateChangedAtMs = nowMs
  }

  delete(id: string): boolean {
    return this.#connectors.delete(id)
  }

  #open(id: string): RegisteredConnector {
    let connector = this.#connectors.get(id)
    if (connector === undefined) {
      connector = {
        id,
        name: '',
        scope: [],
        registrations: [],
        pings: [],
        state: null,
        isResetPending: false,
        stateChangedAtMs: 0,
        userId: undefined,
        info: undefined,
        registeredAtMs: 0,
      }
      this.#connectors.set(id, connector)
    }
    return connector
  }
}

function remember<T>(list: T[], item: T): void {
  list.push(item)
  if (list.length > maxRemembered) list.shift()
}
