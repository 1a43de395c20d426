import { type ConsumerMetrics } from './consumer-metrics.ts'
import { type FrameWriter } from './frame-writer.ts'
import { frame } from './frames.ts'
import { type LiveServer } from './live-server.ts'

/**
 * Timer for `heartbeat` and, in 7.x, `consumer_metrics`. Knows nothing about groups: a heartbeat can come
 * between an event's dependencies and the event, and then has their id.
 */
export class Heartbeat {
  /** Id to send: of the last frame, of the last event read, or made up on an idle stream. */
  lastId: string | undefined
  readonly #server: LiveServer
  readonly #writer: FrameWriter
  readonly #metrics: ConsumerMetrics
  #cancel: (() => void) | undefined

  constructor(server: LiveServer, writer: FrameWriter, metrics: ConsumerMetrics) {
    this.#server = server
    this.#writer = writer
    this.#metrics = metrics
  }

  start(): void {
    this.#cancel = this.#server.clock.schedule(this.#server.heartbeatMs, () => {
      this.send()
      this.start()
    })
  }

  stop(): void {
    this.#cancel?.()
  }

  /** Sends both now. 7.x omits the heartbeat, but not the metrics, while the client has bytes to read. */
  send(): void {
    const { clock, features, faults, platform, retention } = this.#server
    const id = this.lastId
    if (id === undefined || !faults.heartbeats) return
    // An id of zero, or a non-numeric one, shows the current time.
    const ms = Number(id.split('-')[0]) || clock.now()
    if (!features.isSeven || this.#writer.isIdle) {
      this.#writer.writeNow(frame('heartbeat', JSON.stringify(new Date(ms).toISOString()), id))
    }
    if (!features.isSeven) return
    const { log } = platform
    const behind = log.countAfter({ ms: Number(id.split('-')[0]) || 0, seq: Number(id.split('-')[1]) || 0 })
    const eventsLeft = Number.isFinite(retention) ? retention - behind : undefined
    const metrics = this.#metrics.report(log.produced, behind === 0 ? 0 : clock.now() - ms, eventsLeft)
    this.#writer.writeNow(frame('consumer_metrics', metrics, id))
  }
}
