/** Speed of a measurement. */
export interface Rate {
  readonly perSecond: number
  /** The same per second of CPU time of all threads of this process. */
  readonly perCpuSecond: number
  /** Peak memory of this process, in MB. */
  readonly peakMb: number
}

/** Measures time and CPU time of this process, from its creation. */
export class Stopwatch {
  readonly #startMs = performance.now()
  readonly #startCpu = process.cpuUsage()

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000
  }

  /** The speed if `count` events were processed since the start. */
  rate(count: number): Rate {
    const { user, system } = process.cpuUsage(this.#startCpu)
    return {
      perSecond: count / this.seconds,
      perCpuSecond: (count / (user + system)) * 1e6,
      peakMb: process.resourceUsage().maxRSS / 1000,
    }
  }
}
