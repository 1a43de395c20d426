/** How fast something went. */
export interface Rate {
  readonly perSecond: number
  /** The same for each second that this process was on a CPU, all of its threads together. */
  readonly perCpuSecond: number
  /** The most memory that this process has ever had, in MB. */
  readonly peakMb: number
}

/** Measures time and CPU time of this process, from when it was made. */
export class Stopwatch {
  readonly #startMs = performance.now()
  readonly #startCpu = process.cpuUsage()

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000
  }

  /** `count` things were done since the start. */
  rate(count: number): Rate {
    const { user, system } = process.cpuUsage(this.#startCpu)
    return {
      perSecond: count / this.seconds,
      perCpuSecond: (count / (user + system)) * 1e6,
      peakMb: process.resourceUsage().maxRSS / 1000,
    }
  }
}
