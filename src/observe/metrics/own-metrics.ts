import { Counter, Gauge, Registry } from 'prom-client'
import { histogramTable, metricTable } from './metric-table.ts'

/** What a metric of the author is. */
export interface OwnMetricOptions {
  /** Letters, digits and `_`; that of a counter ends in `_total`. The namespace and subsystem of the settings come before it. */
  readonly name: string
  /** What it counts, in a sentence. */
  readonly help: string
  /** Names of labels. Values should be few: each is a row of its own for ever. */
  readonly labels?: readonly string[] | undefined
}

/** Values of the labels of a metric. */
export type MetricLabels = Readonly<Record<string, string | number>>

/** A number that only grows. */
export interface OwnCounter {
  /** Adds `by`, 1 if nothing is said. */
  add(by?: number, labels?: MetricLabels): void
}

/** A number that goes up and down. */
export interface OwnGauge {
  set(value: number, labels?: MetricLabels): void
}

/** What {@link OwnMetrics} need. */
export interface OwnMetricsOptions {
  /** What comes before each name. */
  readonly prefix: string
  /** Takes secrets out of a text. */
  readonly clean: (text: string) => string
}

/** So many rows one metric may have; what goes beyond them is counted under `other`. */
const maxRows = 1000

/** The longest value of a label, in characters. */
const maxCharacters = 120

/**
 * Metrics of the author's own, served with those of the connector at `/metrics`.
 *
 * @example
 * ```ts
 * import { StreamConnector, type Entity } from 'opencti-stream-connector'
 *
 * class Firewall extends StreamConnector {
 *   #blocked = this.metrics.counter({ name: 'firewall_blocked_total', help: 'Addresses blocked.', labels: ['zone'] })
 *   transform = (entity: Entity) => entity
 *   override create() {
 *     this.#blocked.add(1, { zone: 'dmz' })
 *   }
 * }
 *
 * export { Firewall }
 * ```
 */
export class OwnMetrics {
  readonly #options: OwnMetricsOptions
  readonly #registry = new Registry()

  /** @hidden */
  constructor(options: OwnMetricsOptions) {
    this.#options = options
  }

  /** @throws TypeError when the name is taken or cannot be one. */
  counter(options: OwnMetricOptions): OwnCounter {
    const counter = new Counter(this.#configurationOf(options))
    const rows = this.#rows()
    return { add: (by = 1, labels = {}) => counter.inc(rows(labels), by) }
  }

  /** @throws TypeError when the name is taken or cannot be one. */
  gauge(options: OwnMetricOptions): OwnGauge {
    const gauge = new Gauge(this.#configurationOf(options))
    const rows = this.#rows()
    return { set: (value, labels = {}) => gauge.set(rows(labels), value) }
  }

  /** All of them in the text format of Prometheus. @internal */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #configurationOf({ name, help, labels = [] }: OwnMetricOptions) {
    if (!/^[a-z_][a-z0-9_]*$/i.test(name)) throw new TypeError(`"${name}" cannot be the name of a metric`)
    const isOurs = [...metricTable, ...histogramTable].some((row) => row.name === name)
    const full = this.#options.prefix + name
    if (isOurs || this.#registry.getSingleMetric(full) !== undefined)
      throw new TypeError(`there is a metric "${name}" already`)
    return { name: full, help, labelNames: [...labels], registers: [this.#registry] }
  }

  /** Keeps labels short, few and free of secrets. */
  #rows(): (labels: MetricLabels) => Record<string, string> {
    const known = new Set<string>()
    const text = (value: string | number) => this.#options.clean(String(value)).slice(0, maxCharacters)
    return (labels) => {
      const clean = Object.entries(labels).map(([name, value]) => [name, text(value)] as const)
      const row = JSON.stringify(clean)
      if (known.size < maxRows) known.add(row)
      return Object.fromEntries(known.has(row) ? clean : clean.map(([name]) => [name, 'other']))
    }
  }
}
