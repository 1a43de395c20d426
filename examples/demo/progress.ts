import { stripVTControlCharacters } from 'node:util'
import { type ConnectorStatus } from 'opencti-stream-connector'
import { widthOf, type Screen, type Style } from './screen.ts'

/** How often the line is drawn on a terminal, and how often without one, in milliseconds. */
const liveIntervalMs = 100
const plainIntervalMs = 2000

/** Events per second are counted over this time, in milliseconds. */
const rateWindowMs = 1000

/** How many bars the little chart of the rate has, one for each half second. */
const maxBars = 16
const barMs = 500

const bars = '▁▂▃▄▅▆▇█'
const wheel = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'

interface Sample {
  readonly atMs: number
  readonly done: number
}

/** The line that tells how the connector does, drawn until it is stopped. */
export class ProgressLine {
  /** What is going on, in a word or two. */
  phase = ''
  readonly #screen: Screen
  readonly #status: () => ConnectorStatus
  readonly #startMs = performance.now()
  readonly #samples: Sample[] = []
  readonly #rates: number[] = []
  #timer: NodeJS.Timeout | undefined
  #turns = 0
  #lastBarMs = 0

  constructor(screen: Screen, status: () => ConnectorStatus) {
    this.#screen = screen
    this.#status = status
  }

  start(): void {
    this.#samples.push({ atMs: performance.now(), done: 0 })
    this.#timer = setInterval(() => this.#draw(), this.#screen.isLive ? liveIntervalMs : plainIntervalMs)
  }

  /** Draws it a last time and leaves it there. */
  stop(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#draw()
    this.#screen.release()
  }

  #draw(): void {
    this.#screen.bottom(this.#line(this.#status()))
  }

  #line(status: ConnectorStatus): string {
    const screen = this.#screen
    const nowMs = performance.now()
    const rate = this.#rate(status, nowMs)
    const number = (style: Style, value: number) => screen.style(style, value.toLocaleString('en-US'))
    const turn = screen.isLive ? `${screen.style('cyan', wheel[this.#turns++ % wheel.length]!)} ` : ''
    const isBehind = this.phase === 'catch-up'
    const lag = isBehind ? '–' : `${(status.lagMs / 1000).toFixed(1)} s`
    const counts = [
      `received ${number('bold', status.received)}`,
      `delivered ${number('green', status.delivered)}`,
      `skipped ${number('dim', status.skipped)}`,
      `dead letters ${number(status.deadLettered > 0 ? 'red' : 'dim', status.deadLettered)}`,
      `${number('cyan', rate)}/s`,
      `lag ${screen.style(status.lagMs > 1000 && !isBehind ? 'yellow' : 'dim', lag)}`,
    ]
    const seconds = `${((nowMs - this.#startMs) / 1000).toFixed(0)} s`.padStart(4)
    const phase =
      status.outage === undefined
        ? screen.style('bold', this.phase.padEnd(9))
        : screen.style('yellow', 'paused'.padEnd(9))
    const head = `${turn}${screen.style('dim', seconds)}  ${phase}`
    const wide = [head, ...counts].join('  ')
    if (!screen.isLive) return wide
    const chart = screen.style('cyan', this.#rates.map((value) => barOf(value, this.#rates)).join(''))
    const narrow = turn + counts.join(' ')
    const fits = (text: string) => widthOf(text) < screen.columns
    return (
      [`${wide}  ${chart}`, wide, narrow].find(fits) ??
      stripVTControlCharacters(narrow).slice(0, screen.columns - 1)
    )
  }

  /** Events that came to their end in the last second. */
  #rate({ delivered, skipped, deadLettered }: ConnectorStatus, nowMs: number): number {
    const samples = this.#samples
    samples.push({ atMs: nowMs, done: delivered + skipped + deadLettered })
    while (samples.length > 2 && samples[1]!.atMs < nowMs - rateWindowMs) samples.shift()
    const [first, last] = [samples[0]!, samples.at(-1)!]
    const seconds = (last.atMs - first.atMs) / 1000
    const rate = seconds === 0 ? 0 : Math.round((last.done - first.done) / seconds)
    if (nowMs - this.#lastBarMs >= barMs) {
      this.#lastBarMs = nowMs
      this.#rates.push(rate)
      if (this.#rates.length > maxBars) this.#rates.shift()
    }
    return rate
  }
}

function barOf(value: number, among: readonly number[]): string {
  const share = value / Math.max(1, ...among)
  return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))]!
}
