import {
  Histogram,
  type MetricObjectWithValues,
  type MetricValueWithName,
  type Registry,
} from '@prometheus-io/client'
import { type Distribution } from '../facts/hook-timings.ts'

/** A distribution and its labels. */
export interface LabelledDistribution {
  readonly labels: Readonly<Record<string, string>>
  readonly distribution: Distribution
}

/**
 * A histogram computed on demand. The library's own looks up labels on every observation, which costs as much
 * as all other counting for an event.
 */
export class DistributionMetric extends Histogram<string> {
  readonly #options: DistributionMetricOptions

  constructor(options: DistributionMetricOptions) {
    const { name, help, bounds, registry } = options
    super({ name, help, buckets: [...bounds], registers: [registry] })
    this.#options = options
  }

  override get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    return this.getForPromString()
  }

  /** Registries call this instead of `get`. */
  async getForPromString(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { name, help, read } = this.#options
    const values: MetricValueWithName<string>[] = []
    for (const { labels, distribution } of read()) {
      let below = 0
      for (const [index, bound] of distribution.bounds.entries()) {
        below += distribution.counts[index]!
        values.push({ labels: { ...labels, le: String(bound) }, value: below, metricName: `${name}_bucket` })
      }
      const { count, sum } = distribution
      values.push({ labels: { ...labels, le: '+Inf' }, value: count, metricName: `${name}_bucket` })
      values.push({ labels, value: sum, metricName: `${name}_sum` })
      values.push({ labels, value: count, metricName: `${name}_count` })
    }
    return { name, help, values, type: 'histogram', aggregator: 'sum' } as unknown as MetricObjectWithValues<
      MetricValueWithName<string>
    >
  }
}

export interface DistributionMetricOptions {
  readonly name: string
  readonly help: string
  readonly bounds: readonly number[]
  readonly registry: Registry
  readonly read: () => readonly LabelledDistribution[]
}
