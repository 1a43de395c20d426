import { type KyInstance } from 'ky'
import { type StreamWatch } from '../../observe/facts/stream-watch.ts'
import { requireStreamId } from '../../opencti/stream-check.ts'
import { EventStream } from '../../stream/event-stream.ts'
import { type Assembly, type AssemblyOptions } from '../assembly.ts'
import { type Progress } from '../platform/progress.ts'
import { StreamReader } from './stream-reader.ts'

/** What a {@link LiveStream} joins. */
export interface LiveStreamOptions extends Pick<AssemblyOptions, 'loaded' | 'clock' | 'random' | 'onNotice'> {
  readonly http: KyInstance
  readonly assembly: Pick<Assembly, 'pipeline' | 'checkpointer' | 'room'>
  readonly progress: Progress
  readonly watch: StreamWatch
}

/** The live stream of a connector, read from where its progress stands until it is closed. */
export class LiveStream {
  readonly #options: LiveStreamOptions
  readonly #events: EventStream
  readonly #abort = new AbortController()
  readonly #done: Promise<void>

  constructor(options: LiveStreamOptions) {
    this.#options = options
    const { http, clock, random, loaded } = options
    const { opencti, connector } = loaded.settings
    this.#events = new EventStream({
      http,
      url: `${opencti.url}/stream/${encodeURIComponent(requireStreamId(connector.live_stream_id))}`,
      handler: this.#reader(),
      clock,
      random,
      limits: { maxFrameBytes: loaded.delivery.queue.maxFrameBytes },
    })
    this.#done = this.#events.run(this.#abort.signal)
  }

  /** Stops reading; resolves when nothing more comes. */
  close(): Promise<void> {
    this.#abort.abort()
    return this.#done
  }

  #reader(): StreamReader {
    const { assembly, progress, watch, loaded, clock, onNotice } = this.#options
    const { checkpointer, pipeline } = assembly
    return new StreamReader({
      ledger: progress.ledger,
      pipeline,
      settings: loaded.settings.connector,
      clock,
      recoverUntil: () => progress.recoverUntil,
      room: () => assembly.room(),
      onNotice: (notice) => {
        watch.note(notice)
        onNotice({ kind: 'stream', notice })
      },
      onGap: (from, firstAvailable, untilMs) => this.#onGap(from, firstAvailable, untilMs),
      onOutlived: () =>
        this.#events.reconnect('the catch-up took long: does the stream still hold what followed it?'),
      onNoRecover: () => {
        progress.refuseCatchUp()
        checkpointer.touch()
      },
      onCaughtUp: (position) => onNotice({ kind: 'caught-up', position }),
      onHead: (headMs) => progress.headAt(headMs),
      onHeadAhead: (aheadMs) => progress.headAhead(aheadMs),
      onProgress: (newestMs) => {
        progress.seen(newestMs)
        checkpointer.touch()
      },
    })
  }

  #onGap(from: string, firstAvailable: string, untilMs: number): void {
    const { assembly, progress, loaded, onNotice } = this.#options
    const isRepaired = loaded.settings.connector.live_stream_recover && progress.recoverUntil !== undefined
    onNotice({ kind: 'gap', from, firstAvailable, isRepaired })
    if (!isRepaired) return
    progress.repairGap(untilMs)
    assembly.checkpointer.touch()
    this.#events.reconnect('a gap is repaired')
  }
}
