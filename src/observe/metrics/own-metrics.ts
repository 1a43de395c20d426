import { histogramTable, metricTable } from './metric-table.ts'

/** Label values of a metric. */
export type MetricLabels = Readonly<Record<string, string | number>>

/** A number that only increases. */
export interface OwnCounter {
  /**
   * Adds `by`.
   * @default 1
   */
  add(by?: number, labels?: MetricLabels): void
}

/** A number that goes up and down. */
export interface OwnGauge {
  set(value: number, labels?: MetricLabels): void
}

/** A custom metric with its values. */
export interface OwnMetric {
  readonly type: 'counter' | 'gauge'
  /** Including the prefix. */
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** By labels as JSON. */
  readonly rows: Map<string, OwnRow>
}

interface OwnRow {
  readonly labels: Readonly<Record<string, string>>
  value: number
}

/** Maximum number of label combinations per metric; the rest is counted under `other`. */
const maxRows = 1000

/** Maximum length of a label value, in characters. */
const maxCharacters = 120

/**
 * Custom metrics, served at `/metrics` with those of the connector.
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
  readonly #byName = new Map<string, OwnMetric>()

  /** @hidden */
  constructor(options: OwnMetricsOptions) {
    this.#options = options
  }

  /** @throws TypeError if the name is taken or invalid, or a label is invalid. */
  counter(options: OwnMetricOptions): OwnCounter {
    const metric = this.#define('counter', options)
    return {
      add: (by = 1, labels = {}) => {
        if (!Number.isFinite(by) || by < 0)
          throw new TypeError(`"${options.name}" only grows: it cannot change by ${by}`)
        this.#rowOf(metric, labels).value += by
      },
    }
  }

  /** @throws TypeError if the name is taken or invalid, or a label is invalid. */
  gauge(options: OwnMetricOptions): OwnGauge {
    const metric = this.#define('gauge', options)
    return {
      set: (value, labels = {}) => {
        if (typeof value !== 'number') throw new TypeError(`The value of "${options.name}" must be a number`)
        this.#rowOf(metric, labels).value = value
      },
    }
  }

  /** Metrics to serve. @internal */
  all(): Iterable<OwnMetric> {
    return this.#byName.values()
  }

  #define(type: OwnMetric['type'], { name, help, labels = [] }: OwnMetricOptions): OwnMetric {
    for (const word of [name, ...labels])
      if (!/^[a-z_][a-z0-9_]*$/i.test(word))
        throw new TypeError(`"${word}" cannot be the name of a ${word === name ? 'metric' : 'label'}`)
    const isOurs = [...metricTable, ...histogramTable].some((row) => row.name === name)
    if (isOurs || this.#byName.has(name)) throw new TypeError(`there is a metric "${name}" already`)
    const metric = { type, name: this.#options.prefix + name, help, labels: [...labels], rows: new Map() }
    this.#byName.set(name, metric)
    return metric
  }

  /** The row for these labels, which are kept short, few, and free of secrets. */
  #rowOf({ name, labels: names, rows }: OwnMetric, labels: MetricLabels): OwnRow {
    const unknown = Object.keys(labels).find((label) => !names.includes(label))
    if (unknown !== undefined) throw new TypeError(`"${name}" has no label "${unknown}"`)
    const text = (value: string | number) => this.#options.clean(String(value)).slice(0, maxCharacters)
    const clean = names
      .filter((label) => Object.hasOwn(labels, label))
      .map((label) => [label, text(labels[label]!)] as const)
    const key = JSON.stringify(clean)
    const known = rows.get(key)
    if (known !== undefined) return known
    const isFull = rows.size >= maxRows
    const kept = isFull ? clean.map(([label]) => [label, 'other'] as const) : clean
    const otherKey = isFull ? JSON.stringify(kept) : key
    const row = rows.get(otherKey) ?? { labels: Object.fromEntries(kept), value: 0 }
    rows.set(otherKey, row)
    return row
  }
}

/** Options of a custom metric. */
export interface OwnMetricOptions {
  /**
   * Letters, digits, and `_`; a counter's name ends in `_total`. The configured namespace and subsystem are
   * prepended.
   */
  readonly name: string
  /** What it measures, in a sentence. */
  readonly help: string
  /** Label names. Use few distinct values: each combination is kept forever. */
  readonly labels?: readonly string[] | undefined
}

export interface OwnMetricsOptions {
  /** Prefix of all names. */
  readonly prefix: string
  /** Redacts secrets. */
  readonly clean: (text: string) => string
}
