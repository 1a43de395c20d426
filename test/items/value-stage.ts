import { onTestFinished } from 'vitest'
import { type ConnectorDefaults, MemoryStore, type ConnectorNotice } from 'opencti-stream-connector'
import { buildIndicator, type Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { Life, movableClock } from '../fixtures/everything-target.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { makeValueConnector, type ValueConnector, ValueTarget } from './value-target.ts'

export interface ValueStageOptions {
  readonly defaults?: Partial<ConnectorDefaults>
  readonly env?: Record<string, string>
}

/** A platform, a target that holds values, and the lives of a connector between them. */
export class ValueStage {
  readonly target = new ValueTarget()
  readonly notices: ConnectorNotice[] = []
  readonly warnings: string[] = []
  readonly simulator: Simulator
  store = new MemoryStore()
  connector!: ValueConnector
  #life!: Life
  #seed = 0

  get connectorId(): string {
    return this.simulator.environment()['CONNECTOR_ID']!
  }

  constructor(simulator: Simulator) {
    this.simulator = simulator
  }

  /** An indicator with these values, such as `a:3 b:1`. */
  create(values: string): StixObject {
    return this.simulator.create(buildIndicator('domain', { seed: ++this.#seed, description: values }))
  }

  change({ id }: StixObject, values: string): void {
    this.simulator.update(id, { description: values })
  }

  async start({ defaults, env }: ValueStageOptions = {}): Promise<void> {
    const life = (this.#life = new Life(this.store))
    const warn = (message: string) => this.warnings.push(message)
    const logger = { debug() {}, info() {}, warn, error() {}, child: () => logger }
    this.connector = makeValueConnector(
      {
        name: 'Values',
        filter: { types: ['indicator'] },
        retry: { baseMs: 10, maxMs: 50 },
        ...defaults,
      } as ConnectorDefaults,
      {
        target: this.target,
        life,
        clock: movableClock(),
        env: { ...this.simulator.environment(), ...env },
        logger,
        onNotice: (notice) => {
          if (!life.isOver) this.notices.push(notice)
        },
      },
      false,
    )
    await this.connector.start()
  }

  /** As SIGKILL: nothing that the process still does reaches the target or the store. */
  async kill(): Promise<void> {
    this.#life.isOver = true
    await this.store.close()
    void this.connector.stop().catch(() => {})
  }

  /** The state folder is gone; the target keeps what it has. */
  loseState(): void {
    this.store = new MemoryStore()
  }

  /** Waits until the target holds exactly these keys. */
  async holds(...keys: string[]): Promise<void> {
    const held = () => [...this.target.held.values()].map(({ key }) => key).toSorted()
    await until(
      `${keys.join()}, not ${held().join()}`,
      () => held().join() === keys.toSorted().join(),
      10_000,
    ).catch((error: unknown) => {
      throw new Error(`the target holds ${held().join()}`, { cause: error })
    })
    await this.quiet()
  }

  async quiet(): Promise<void> {
    await until('the end of all work', () => {
      const { catchingUp, inFlight } = this.connector.status()
      return !catchingUp && inFlight === 0
    })
  }

  notice<Kind extends ConnectorNotice['kind']>(
    kind: Kind,
  ): Promise<Extract<ConnectorNotice, { kind: Kind }>> {
    return until(`the notice ${kind}`, () => this.notices.find((notice) => notice.kind === kind)) as Promise<
      Extract<ConnectorNotice, { kind: Kind }>
    >
  }
}

export async function valueStage(options: { readonly heartbeatMs?: number } = {}): Promise<ValueStage> {
  const stage = new ValueStage(await startSimulator(options))
  onTestFinished(async () => {
    await stage.connector?.stop().catch(() => {})
  })
  return stage
}
