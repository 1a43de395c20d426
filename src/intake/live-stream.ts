import { type KyInstance } from 'ky'
import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type StreamWatch } from '../observe/facts/stream-watch.ts'
import { type Platform } from '../opencti/platform.ts'
import { requireStreamId } from '../opencti/stream-check.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'
import { EventStream } from '../stream/event-stream.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { type Bound } from '../flow/room.ts'
import { type Progress } from '../session/progress.ts'
import { StreamLossWatch } from './stream-loss-watch.ts'
import { type Pipeline } from './pipeline.ts'
import { type Gap } from './stream-reader-options.ts'
import { StreamReader } from './stream-reader.ts'

/** What a {@link LiveStream} joins. */
export interface LiveStreamOptions {
  readonly loaded: LoadedSettings
  readonly clock: Clock
  readonly random: Random
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  readonly platform: Pick<Platform, 'hasOriginFilters' | 'nowMs'>
  readonly pipeline: Pipeline
  readonly checkpointer: Checkpointer
  /** Where one more event needs room. */
  readonly room: Bound
  readonly progress: Progress
  readonly watch: StreamWatch
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** The live stream of a connector, read from where its progress stands until it is closed. */
export class LiveStream {
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
    this.#reader = this.#makeReader()
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

  /** Stops reading; resolves when nothing more comes. */
  close(): Promise<void> {
    this.#abort.abort()
    this.#lost.close()
    return this.#done
  }

  #makeReader(): StreamReader {
    const { pipeline, checkpointer, room, progress, watch, loaded, clock, platform, onNotice } = this.#options
    return new StreamReader({
      ledger: progress.ledger,
      pipeline,
      settings: loaded.settings.connector,
      clock,
      platformNowMs: () => platform.nowMs,
      keeper: progress,
      startKind: progress.startKind,
      room: () => room.room(),
      onNotice: (notice) => {
        watch.note(notice)
        this.#lost.note(notice)
        onNotice({ kind: 'stream', notice })
      },
      onReconnect: (reason) => this.#events.reconnect(reason),
      onGap: (gap) => this.#onGap(gap),
      onFuture: (from, beginsAt) => onNotice({ kind: 'position-in-future', from, beginsAt }),
      onStalled: () => onNotice({ kind: 'catch-up-stalled' }),
      onClockOff: (off) => onNotice({ kind: 'clock-off', ...off }),
      onNoRecover: (from) => {
        progress.refuseCatchUp()
        checkpointer.touch()
        onNotice({ kind: 'catch-up-refused', from })
      },
      onCatchUpFailed: () => void this.#abandonCatchUp(),
      onCaughtUp: (position) => {
        progress.caughtUp()
        checkpointer.touch()
        onNotice({ kind: 'caught-up', position })
      },
      onHead: (headMs) => progress.headAt(headMs),
      onHeadAhead: (aheadMs) => progress.headAhead(aheadMs),
      onProgress: (newestMs) => {
        progress.seen(newestMs)
        checkpointer.touch()
      },
    })
  }

  /** Goes on without the catch-up if it is sure that there never is one. */
  async #abandonCatchUp(): Promise<void> {
    const { platform, loaded, progress } = this.#options
    const { signal } = this.#abort
    const streamId = requireStreamId(loaded.settings.connector.live_stream_id)
    try {
      if (!(await platform.hasOriginFilters(streamId, signal))) return
    } catch {
      // The next connection fails in the same way, and it is asked again.
      return
    }
    if (signal.aborted || !progress.ledger.catchingUp) return
    this.#reader.abandonCatchUp()
    this.#events.reconnect('this stream is not caught up')
  }

  #onGap({ from, firstAvailable, sinceMs, untilMs }: Gap): boolean {
    const { checkpointer, progress, loaded, onNotice } = this.#options
    const isRepaired = loaded.settings.connector.live_stream_recover && progress.mayCatchUp
    onNotice({ kind: 'gap', from, firstAvailable, isRepaired })
    if (!isRepaired) return false
    progress.repairGap(sinceMs, untilMs)
    checkpointer.touch()
    this.#events.reconnect('a gap is repaired')
    return true
  }
}
