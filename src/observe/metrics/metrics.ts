import { collectDefaultMetrics, Counter, Gauge, Registry } from '@prometheus-io/client'
import { durationBounds, type HookTimings, sizeBounds } from '../facts/hook-timings.ts'
import { type ObservedFacts } from '../facts/observed-facts.ts'
import { DistributionMetric } from './distribution-metric.ts'
import { histogramTable, type MetricRow, metricTable } from './metric-table.ts'
import { type OwnMetrics } from './own-metrics.ts'
import { prefixOf } from './prefix-of.ts'

/** Maximum length of an author's reason, in characters. */
const maxLabelCharacters = 120

/** Process metrics are shared by all connectors in the process. */
let processRegistry: Registry | undefined

/**
 * Metrics of one connector, in a separate registry. Counts nothing itself: reads every number from the
 * counters on demand, so events pay nothing for it.
 */
export class Metrics {
  readonly #options: MetricsOptions
  readonly #registry = new Registry()
  #facts: ObservedFacts

  constructor(options: MetricsOptions) {
    this.#options = options
    this.#facts = options.facts()
    const prefix = prefixOf(options.namespace, options.subsystem)
    for (const row of metricTable) this.#register(row, prefix)
    const [duration, size] = histogramTable
    const { timings } = options
    const registry = this.#registry
    void new DistributionMetric({
      name: prefix + duration.name,
      help: duration.help,
      bounds: durationBounds,
      registry,
      read: () =>
        [...timings.figures.values()].flatMap(({ hook, route, ok, error }) => {
          const labels = route === undefined ? { hook } : { hook, route }
          return [
            { labels: { ...labels, outcome: 'ok' }, distribution: ok },
            { labels: { ...labels, outcome: 'error' }, distribution: error },
          ]
        }),
    })
    void new DistributionMetric({
      name: prefix + size.name,
      help: size.help,
      bounds: sizeBounds,
      registry,
      read: () => [{ labels: {}, distribution: timings.batchSizes }],
    })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All metrics, including the process metrics, in Prometheus text format. */
  async text(): Promise<string> {
    if (processRegistry === undefined) {
      processRegistry = new Registry()
      collectDefaultMetrics({ register: processRegistry })
    }
    this.#facts = this.#options.facts()
    const own = this.#options.own === undefined ? '' : await textOfOwn(this.#options.own)
    return `${await this.#registry.metrics()}\n${own}\n${await processRegistry.metrics()}`
  }

  #register(row: MetricRow, prefix: string): void {
    const name = prefix + row.name
    const labelNames = row.label === undefined ? [] : [row.label]
    const configuration = { name, help: row.help, labelNames, registers: [this.#registry] }
    const { type, label } = row
    if (type === 'counter') {
      const counter: Counter<string> = new Counter({
        ...configuration,
        collect: () => {
          counter.reset()
          for (const [value, count] of this.#valuesOf(row))
            counter.inc(label === undefined ? {} : { [label]: value }, count)
        },
      })
    } else {
      const gauge: Gauge<string> = new Gauge({
        ...configuration,
        collect: () => {
          gauge.reset()
          for (const [value, count] of this.#valuesOf(row))
            gauge.set(label === undefined ? {} : { [label]: value }, count)
        },
      })
    }
  }

  *#valuesOf(row: MetricRow): Iterable<readonly [string, number]> {
    const value = row.read(this.#facts)
    if (typeof value === 'number') yield ['', value]
    else
      for (const [name, count] of value) yield [this.#options.clean(name).slice(0, maxLabelCharacters), count]
  }
}

export interface MetricsOptions {
  /** First and second part of metric names; either may be empty. */
  readonly namespace: string
  readonly subsystem: string
  readonly facts: () => ObservedFacts
  readonly timings: HookTimings
  /**
   * The author's metrics.
   * @default none
   */
  readonly own?: OwnMetrics | undefined
  /** Redacts secrets. */
  readonly clean: (text: string) => string
}

/** The author's metrics in Prometheus text format. */
function textOfOwn(own: OwnMetrics): Promise<string> {
  const registry = new Registry()
  for (const { type, name, help, labels, rows } of own.all()) {
    const configuration = { name, help, labelNames: labels, registers: [registry] }
    if (type === 'counter') {
      const counter = new Counter(configuration)
      for (const row of rows.values()) counter.inc(row.labels, row.value)
    } else {
      const gauge = new Gauge(configuration)
      for (const row of rows.values()) gauge.set(row.labels, row.value)
    }
  }
  return registry.metrics()
}
