import { type ConnectorNotice, type LogAttributes, type Logger } from 'opencti-stream-connector'
import { type Screen } from './screen.ts'

/** Listens to the connector: says in a line what happens, and counts what it costs. */
export class Happenings {
  /** How often the stream was opened again, and how long each time took, in milliseconds. */
  readonly reconnectsMs: number[] = []
  /** How long the connector paused for the SIEM each time, in milliseconds. */
  readonly pausesMs: number[] = []
  /** Warnings and errors of the log, as text. */
  readonly warnings: string[] = []
  readonly #screen: Screen
  #brokenAtMs: number | undefined
  #pausedAtMs: number | undefined

  constructor(screen: Screen) {
    this.#screen = screen
  }

  /** Where the connector writes its log: warnings and errors are kept, nothing is printed. */
  get logger(): Logger {
    const keep = (message: string, attributes?: LogAttributes) => {
      this.warnings.push(attributes === undefined ? message : `${message} ${JSON.stringify(attributes)}`)
    }
    const logger: Logger = { debug() {}, info() {}, warn: keep, error: keep, child: () => logger }
    return logger
  }

  readonly onNotice = (notice: ConnectorNotice): void => {
    const nowMs = performance.now()
    switch (notice.kind) {
      case 'stream':
        this.#onStream(notice.notice.kind, nowMs)
        return
      case 'caught-up':
        this.#say('green', '✔', 'all that was there has come in; live from now on')
        return
      case 'paused':
        this.#pausedAtMs = nowMs
        this.#say('yellow', '‖', 'the SIEM does not answer: paused, nothing is lost')
        return
      case 'resumed': {
        const pauseMs = nowMs - (this.#pausedAtMs ?? nowMs)
        this.#pausedAtMs = undefined
        this.pausesMs.push(pauseMs)
        this.#say('green', '▶', `the SIEM is back: resumed after ${inSeconds(pauseMs)}`)
        return
      }
      case 'dead-lettered':
        this.#say('red', '✖', `dead letter; the other events continue: ${notice.error}`)
        return
      default:
    }
  }

  #onStream(kind: string, nowMs: number): void {
    if (kind === 'broken' || kind === 'ended' || kind === 'silent') this.#brokenAtMs ??= nowMs
    if (kind !== 'connected' || this.#brokenAtMs === undefined) return
    const awayMs = nowMs - this.#brokenAtMs
    this.#brokenAtMs = undefined
    this.reconnectsMs.push(awayMs)
    this.#say('green', '▶', `stream cut … resumed after ${inSeconds(awayMs)}, at the event where it broke`)
  }

  #say(color: 'green' | 'yellow' | 'red', mark: string, text: string): void {
    this.#screen.line(`   ${this.#screen.style(color, mark)} ${text}`)
  }
}

/** `3.4 s` */
export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
