import { type Clock } from '../../util/clock.ts'

/** Counters for the `consumer_metrics` frame of 7.x (OpenCTI platform, utils/consumer-metrics.ts). */
export class ConsumerMetrics {
  delivered = 0
  processed = 0
  resolved = 0
  readonly #clock: Clock
  #sinceMs: number
  #produced: number

  constructor(clock: Clock, produced: number) {
    this.#clock = clock
    this.#sinceMs = clock.monotonic()
    this.#produced = produced
  }

  /**
   * JSON of a frame. Rates are events per second since the previous one.
   *
   * @param produced number of events the platform has published.
   * @param lagMs how far the reader is behind the newest event.
   * @param eventsLeft how many events may follow before the reader falls off; undefined without a limit.
   */
  report(produced: number, lagMs: number, eventsLeft: number | undefined): string {
    const seconds = Math.max((this.#clock.monotonic() - this.#sinceMs) / 1000, 0.001)
    const rounded = (value: number) => Math.round(value * 100) / 100
    const rate = (count: number) => rounded(count / seconds)
    const productionRate = rate(produced - this.#produced)
    const isDraining = eventsLeft !== undefined && productionRate > 0
    const text = JSON.stringify({
      deliveryRate: rate(this.delivered),
      processingRate: rate(this.processed),
      resolutionRate: rate(this.resolved),
      productionRate,
      timeLag: rounded(Math.max(lagMs, 0) / 1000),
      estimatedOutOfDepth: isDraining ? Math.max(Math.round(eventsLeft / productionRate), 0) : 0,
    })
    this.delivered = this.processed = this.resolved = 0
    this.#sinceMs = this.#clock.monotonic()
    this.#produced = produced
    return text
  }
}
