import { type KyInstance } from 'ky'
import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type StreamWatch } from '../observe/facts/stream-watch.ts'
import { type Platform } from '../opencti/platform.ts'
import { requireStreamId } from '../opencti/stream-check.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { EventStream } from '../stream/event-stream.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { type Progress } from '../session/progress.ts'
import { type ClockOff } from './clock-watch.ts'
import { StreamLossWatch } from './stream-loss-watch.ts'
import { type Pipeline } from './pipeline.ts'
import { type Gap, type ReadingHandler } from './stream-reader-options.ts'
import { StreamReader } from './stream-reader.ts'

/** The live stream of a connector. Reads from the saved progress until it is closed. */
export class LiveStream implements ReadingHandler {
  readonly #options: LiveStreamOptions
  readonly #events: EventStream
  readonly #reader: StreamReader
  readonly #lost: StreamLossWatch
  readonly #abort = new AbortController()
  readonly #done: Promise<void>

  constructor(options: LiveStreamOptions) {
    this.#options = options
    this.#lost = new StreamLossWatch(options.clock, options.onNotice)
    const { http, clock, random, loaded } = options
    const { opencti, connector } = loaded.settings
    this.#reader = new StreamReader({
      ...options,
      ledger: options.progress.ledger,
      settings: connector,
      keeper: options.progress,
      startKind: options.progress.startKind,
      handler: this,
    })
    this.#events = new EventStream({
      http,
      url: `${opencti.url}/stream/${encodeURIComponent(requireStreamId(connector.live_stream_id))}`,
      handler: this.#reader,
      clock,
      random,
      limits: { maxFrameBytes: loaded.delivery.queue.maxFrameBytes },
    })
    this.#done = this.#events.run(this.#abort.signal)
  }

  /** Stops reading. Resolves when no more messages can come. */
  close(): Promise<void> {
    this.#abort.abort()
    this.#lost.close()
    return this.#done
  }

  onNotice(notice: StreamNotice): void {
    this.#options.watch.note(notice)
    this.#lost.note(notice)
    this.#options.onNotice({ kind: 'stream', notice })
  }

  onReconnect(reason: string): void {
    this.#events.reconnect(reason)
  }

  onFuture(from: string, beginsAt: string): void {
    this.#options.onNotice({ kind: 'position-in-future', from, beginsAt })
  }

  onStalled(): void {
    this.#options.onNotice({ kind: 'catch-up-stalled' })
  }

  onClockOff(off: ClockOff): void {
    this.#options.onNotice({ kind: 'clock-off', ...off })
  }

  onNoRecover(from: string): void {
    const { progress, checkpointer, onNotice } = this.#options
    progress.refuseCatchUp()
    checkpointer.touch()
    onNotice({ kind: 'catch-up-refused', from })
  }

  onCatchUpFailed(): void {
    void this.#abandonCatchUp()
  }

  onCaughtUp(position: string): void {
    const { progress, checkpointer, onNotice } = this.#options
    progress.caughtUp()
    checkpointer.touch()
    onNotice({ kind: 'caught-up', position })
  }

  onProgress(newestMs: number): void {
    this.#options.progress.seen(newestMs)
    this.#options.checkpointer.touch()
  }

  onHead(headMs: number): void {
    this.#options.progress.headAt(headMs)
  }

  onHeadAhead(aheadMs: number): void {
    this.#options.progress.headAhead(aheadMs)
  }

  onGap({ from, firstAvailable, sinceMs, untilMs }: Gap): boolean {
    const { checkpointer, progress, loaded, onNotice } = this.#options
    const isRepaired = loaded.settings.connector.live_stream_recover && progress.mayCatchUp
    onNotice({ kind: 'gap', from, firstAvailable, isRepaired })
    if (!isRepaired) return false
    progress.repairGap(sinceMs, untilMs)
    checkpointer.touch()
    this.#events.reconnect('a gap is repaired')
    return true
  }

  /** Continues without a catch-up if the platform cannot catch up this stream. */
  async #abandonCatchUp(): Promise<void> {
    const { platform, loaded, progress } = this.#options
    const { signal } = this.#abort
    const streamId = requireStreamId(loaded.settings.connector.live_stream_id)
    try {
      if (!(await platform.hasOriginFilters(streamId, signal))) return
    } catch {
      // The next connection fails in the same way, and then this runs again.
      return
    }
    if (signal.aborted || !progress.ledger.catchingUp) return
    this.#reader.abandonCatchUp()
    this.#events.reconnect('this stream cannot be caught up')
  }
}

export interface LiveStreamOptions {
  readonly loaded: LoadedSettings
  readonly clock: Clock
  readonly random: Random
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  readonly platform: Pick<Platform, 'hasOriginFilters' | 'nowMs'>
  readonly pipeline: Pick<Pipeline, 'accept'>
  readonly checkpointer: Checkpointer
  /** Limits how many events may be taken in. */
  readonly room: Bound
  readonly progress: Progress
  readonly watch: StreamWatch
  readonly onNotice: (notice: ConnectorNotice) => void
}
